import type { Response as BrowserResponse } from 'playwright-core'
import t from 'tap'
import { openBrowser } from '../support/chromium.ts'
import { startDeployment } from '../support/deployment.ts'
import { until } from '../support/until.ts'

/**
 * DESIGN rules 1 and 9 by search: a launch and a whole chart are run in a browser, then everything that the browser
 * received from smart-bff, the application log and the audit files are searched for everything that must not be there.
 */
t.test(
  'no token, code, verifier or secret leaves; no patient stands in log or audit',
  async (t) => {
    const deployment = await startDeployment()
    const { sandbox, publicUrl, replicas } = deployment
    const browser = await openBrowser({ blockThirdPartyCookies: true })
    t.teardown(async () => {
      await browser.close()
      await deployment.close()
    })
    await browser.context.addInitScript(hearEvents)
    const page = await browser.context.newPage()
    const received: Promise<string>[] = []
    let records = 0
    page.on('response', (response) => {
      if (response.url().startsWith(publicUrl)) received.push(textOf(response))
      if (response.url().startsWith(`${publicUrl}/fhir/`)) records += 1
    })

    const amara = sandbox.patient('amara')
    await page.goto(`${sandbox.origin}/chart/${amara.id}`)
    const frame = page.frameLocator('iframe')
    await frame.getByText('All read from the EHR').waitFor({ timeout: 20_000 })
    // The token is renewed once, so that a second generation is searched for too.
    sandbox.control.revoke('access')
    const before = records
    await frame.getByRole('button', { name: 'Refresh' }).click()
    await until(
      () => sandbox.control.issued().length,
      (tokens) => tokens >= 4 && records > before,
    )
    await frame.getByText('All read from the EHR').waitFor({ timeout: 20_000 })
    const app = page.frames()[1]
    const events = await until(
      async () => String(await app?.evaluate('heard.join()')),
      (heard) => heard !== '',
    )
    // Refusals write records and log lines as well.
    const stray = await browser.context.newPage()
    await stray.goto(`${publicUrl}/launch?iss=https://evil.example/${amara.id}&launch=${amara.mrn}`)
    await stray.goto(`${publicUrl}/callback/north?state=x&code=${amara.family}`)

    const protocol = sandbox
      .requests()
      .flatMap(({ form = {} }) =>
        ['code', 'code_verifier', 'client_assertion', 'refresh_token'].flatMap(
          (name) => form[name] ?? [],
        ),
      )
    const tokens = sandbox.control.issued()
    t.ok(tokens.length >= 4, 'an exchange and a refresh gave tokens')
    t.ok(protocol.length >= 4, 'the protocol used codes, verifiers and assertions')
    const secrets = [...tokens, ...protocol, ...deployment.secrets]

    const atBrowser = [...(await Promise.all(received)), events].join('\n')
    t.ok(atBrowser.includes(amara.family), 'the search sees what the browser received')
    t.same(found(secrets, atBrowser), [], 'nothing secret reached the browser @7 @9 @10')
    const storage = await app?.evaluate('document.documentElement.outerHTML + document.cookie')
    t.same(found(secrets, String(storage)), [], 'nor does a script see any @8 @90')

    const log = replicas.map((replica) => replica.output()).join('')
    const audit = await deployment.auditText()
    t.ok(log.length > 100 && audit.includes('fhir.access'), 'log and audit hold something')
    for (const [name, text] of [
      ['log', log],
      ['audit', audit],
    ] as const) {
      t.same(found(secrets, text), [], `no secret in the ${name}`)
      t.same(found(patientWords(deployment), text), [], `no patient in the ${name}`)
    }
  },
)

/** In every document before its own scripts: what an event stream brought, because its answer has no end to wait for. */
const hearEvents = `
  window.heard = []
  window.EventSource = class extends EventSource {
    addEventListener(type, listener, ...rest) {
      super.addEventListener(type, (event) => heard.push(type + ' ' + event.data + ' ' + event.lastEventId), ...rest)
      super.addEventListener(type, listener, ...rest)
    }
  }`

/** URLs that the EHR wrote (the callback with its code) are not ours; everything else of an answer is. */
async function textOf(response: BrowserResponse): Promise<string> {
  const headers = (await response.headersArray()).map(({ name, value }) => `${name}: ${value}`)
  const stream = (await response.headerValue('content-type'))?.startsWith('text/event-stream')
  const body = stream ? '' : await response.text().catch(() => '')
  const url = response.url().includes('/callback/') ? '' : response.url()
  return [url, ...headers, body].join('\n')
}

function found(needles: readonly string[], text: string): readonly string[] {
  return needles.filter((needle) => text.includes(needle))
}

/** Ids, record numbers and names of all synthetic patients. */
function patientWords({ sandbox }: Awaited<ReturnType<typeof startDeployment>>): readonly string[] {
  return sandbox.patients.flatMap(({ id, mrn, family, name, birthDate }) => [
    id,
    mrn,
    family,
    name,
    ...(birthDate === undefined ? [] : [birthDate]),
  ])
}
