import { setTimeout as sleep } from 'node:timers/promises'
import type { Test } from 'tap'
import type { Navigation, TestBrowser } from './hospital.ts'
import { atEveryCommand, startFaultyHospital } from './store-faults.ts'

/**
 * Launch, refresh, end and activity with Redis failing at each of their commands: no wrong patient, no lost logout, no
 * lost launch; whoever is refused is told `data_unavailable`; and nothing has to be restarted.
 */
export async function storeFaultScenarios(t: Test, all: boolean): Promise<void> {
  const faulty = await startFaultyHospital(t)
  const { hospital, amara, other } = faulty
  const { sandbox, publicUrl } = hospital

  const state = async (answer: Response): Promise<string> => {
    await answer.body?.cancel()
    const told = answer.headers.get('smart-bff-state')
    return told === null ? String(answer.status) : `${answer.status} ${told}`
  }
  const send = async (browser: TestBrowser, method: string, path: string): Promise<string> =>
    state(await browser.fetch(path, { method, headers: { origin: publicUrl } }))
  const read = async (browser: TestBrowser, launch: string, patient: string): Promise<string> =>
    state(await browser.fetch(`/fhir/${launch}/Patient/${patient}`))
  const unavailable = /^50[234] data_unavailable$/
  /** A connection that fell silent, or was refused, is replaced within two seconds. */
  const soon = async <T>(work: () => Promise<T>, until = Date.now() + 30_000): Promise<T> => {
    try {
      return await work()
    } catch (error) {
      if (Date.now() > until) throw error
      await sleep(50)
      return soon(work, until)
    }
  }
  /** The first answer of a store that is well. */
  const settled = (ask: () => Promise<string>): Promise<string> =>
    soon(async () => {
      const got = await ask()
      if (unavailable.test(got)) throw new Error(got)
      return got
    })
  const readSettled = (browser: TestBrowser, launch: string, patient: string): Promise<string> =>
    settled(() => read(browser, launch, patient))
  const patientOf = (browser: TestBrowser, launch: string): Promise<unknown> =>
    soon(async () => {
      const answer = await browser.fetch(`/launches/${launch}`)
      const { patient } = (await answer.json()) as { patient?: unknown }
      if (answer.status >= 500) throw new Error(String(answer.status))
      return patient
    })

  await t.test('a launch beside an older one', async (t) => {
    let older = ''
    await atEveryCommand(t, faulty, {
      all,
      before: async () => {
        const browser = hospital.browser()
        older = (await browser.launch({ patient: amara })).launch
        return browser
      },
      work: (browser) => browser.navigate(sandbox.createLaunch({ patient: other }).url),
      judge: async (t, browser, got, what) => {
        const { url, response } = got as Navigation
        const launch = /\/app\/([\w-]+)\/$/.exec(url)?.[1]
        if (response.status !== 200 || launch === undefined) {
          t.match(await state(response), unavailable, what)
        }
        if (launch !== undefined) {
          t.equal(await patientOf(browser, launch), other, `${what}: the patient`)
        }
        t.equal(await patientOf(browser, older), amara, `${what}: the older launch lives`)
        t.match(
          await readSettled(browser, older, other),
          /^40[34] /,
          `${what}: and is of its patient`,
        )
        if (launch !== undefined) return
        const next = await soon(() => browser.launch({ patient: other }))
        const opened = await readSettled(browser, next.launch, other)
        t.equal(opened, '200', `${what}: the next one opens`)
      },
    })
  })

  await t.test('the first launch of a browser', async (t) => {
    await atEveryCommand(t, faulty, {
      all,
      before: async () => hospital.browser(),
      work: (browser) => browser.navigate(sandbox.createLaunch({ patient: amara }).url),
      judge: async (t, browser, got, what) => {
        const { url, response } = got as Navigation
        const launch = /\/app\/([\w-]+)\/$/.exec(url)?.[1]
        if (launch === undefined) {
          t.match(await state(response), unavailable, what)
          t.notOk(browser.jar.cookies.has('__Host-smart-bff'), `${what}: and no cookie is given`)
        } else {
          t.equal(await readSettled(browser, launch, amara), '200', what)
        }
      },
    })
  })

  await t.test('a refresh, with requests waiting for it', async (t) => {
    const browser = hospital.browser()
    const { launch } = await browser.launch({ patient: amara })
    await atEveryCommand(t, faulty, {
      all,
      before: async () => {
        sandbox.control.clearRequests()
        sandbox.control.revoke('access')
        return browser
      },
      work: async () => Promise.all(Array.from({ length: 3 }, () => read(browser, launch, amara))),
      judge: async (t, _, got, what) => {
        for (const one of got as string[]) t.match(one, /^(200|50[234] data_unavailable)$/, what)
        const later = await readSettled(browser, launch, amara)
        t.equal(later, '200', `${what}: the launch is not lost`)
        const refused = sandbox
          .requests()
          .filter(({ where, status }) => where === 'token' && status !== 200)
        t.strictSame(refused, [], `${what}: no token was spent twice`)
      },
    })
  })

  await t.test('activity', async (t) => {
    const browser = hospital.browser()
    const { launch } = await browser.launch({ patient: amara })
    await atEveryCommand(t, faulty, {
      all,
      before: async () => browser,
      work: () => send(browser, 'POST', `/launches/${launch}/activity`),
      judge: async (t, _, got, what) => {
        t.match(got, /^(20[04]|503 data_unavailable)$/, what)
        const later = await readSettled(browser, launch, amara)
        t.equal(later, '200', `${what}: it lives`)
      },
    })
  })

  for (const path of ['/launches/', '/session']) {
    await t.test(`DELETE ${path}`, async (t) => {
      let launch = ''
      const end = (browser: TestBrowser): Promise<string> =>
        send(browser, 'DELETE', path === '/session' ? path : path + launch)
      await atEveryCommand(t, faulty, {
        all,
        before: async () => {
          const browser = hospital.browser()
          launch = (await browser.launch({ patient: amara })).launch
          t.equal(await readSettled(browser, launch, amara), '200')
          return browser
        },
        work: end,
        judge: async (t, browser, got, what) => {
          t.match(got, /^(204|503 data_unavailable)$/, what)
          const again = got === '204' ? got : await settled(() => end(browser))
          t.match(again, /^(204|401 )/, `${what}: said again`)
          const over = await readSettled(browser, launch, amara)
          t.equal(over, '401 session_ended', `${what}: it is over`)
        },
      })
    })
  }
}
