import t from 'tap'
import { launchHash } from '../../src/audit/pseudonyms.ts'
import { revocationReasons } from '../../src/audit/reasons.ts'
import { startHospital } from '../support/hospital.ts'
import { freePort } from '../support/http.ts'
import { authorize, signInAs, startIdentityProvider, local, withProvider } from './staff-rig.ts'

/** Whoever is not at the keyboard of a member: other sites, planted cookies, addresses and forms that were tampered with. */
const port = await freePort()
const url = `http://localhost:${String(port)}`
const provider = await startIdentityProvider(`${url}/sign-in/callback`)
const operations = withProvider(port, provider)
const hospital = await startHospital({
  root: { operations: { ...operations, staff: { ...operations.staff, local } } },
})
t.teardown(async () => {
  await hospital.close()
  provider.close()
})
const auditor = await signInAs('auditor', url)
const operator = await signInAs('operator', url)
const clinician = hospital.browser()
const { launch } = await clinician.launch({ patient: hospital.sandbox.patients[0]?.id ?? '' })
const [reason] = revocationReasons

type Headers = Readonly<Record<string, string>>
async function send(path: string, form: Headers, headers: Headers) {
  const body = new URLSearchParams(form)
  const response = await fetch(url + path, { method: 'POST', body, headers, redirect: 'manual' })
  return { status: response.status, text: await response.text(), headers: response.headers }
}
const see = async (path: string, cookie: string) => {
  const response = await fetch(url + path, { headers: { cookie }, redirect: 'manual' })
  return { status: response.status, text: await response.text() }
}

const forms: readonly [path: string, cookie: string, form: Headers][] = [
  ['/launches', operator, { tenant: 'north', launch: launchHash(launch), reason }],
  ['/find', auditor, { ask: 'all' }],
  ['/saved', auditor, { title: 'planted', address: '/?ask=all' }],
  ['/saved/remove', auditor, { id: '0123456789ab' }],
  ['/integrity', auditor, {}],
  ['/sign-out', auditor, {}],
]
const elsewhere: readonly Headers[] = [
  { origin: 'https://evil.example' },
  { origin: 'null' },
  { origin: `http://localhost:${String(port + 1)}` },
  { origin: url, 'sec-fetch-site': 'cross-site' },
  { origin: url, 'sec-fetch-site': 'same-site' },
  { 'sec-fetch-site': 'none' },
]

t.test(
  'a form that another site sends does nothing, at every address that takes one',
  async (t) => {
    for (const [path, cookie, form] of forms) {
      for (const headers of elsewhere) {
        const { status, text } = await send(path, form, { cookie, ...headers })
        if (path === '/sign-out') t.equal(status, 303, path)
        else {
          t.equal(status, 403, `${path} ${JSON.stringify(headers)}`)
          t.match(text, 'The refusal was recorded')
        }
      }
    }
    t.equal((await clinician.fetch(`/launches/${launch}`)).status, 200, 'no launch was ended')
    t.notMatch((await see('/', auditor)).text, 'planted', 'no search was kept')
    t.equal((await see('/', auditor)).status, 200, 'nobody was signed out')
    t.match(await hospital.auditText(), /"staff\.refused".*"otto\.operator".*"form_foreign"/)
  },
)

t.test('nothing changes by an address alone', async (t) => {
  const query = new URLSearchParams({ tenant: 'north', launch: launchHash(launch), reason })
  await see(`/launches?${query.toString()}`, operator)
  t.equal((await clinician.fetch(`/launches/${launch}`)).status, 200)
  for (const path of [
    '/saved?title=planted&address=/%3Fask%3Dall',
    '/saved/remove?id=0123456789ab',
    '/find?ask=all',
  ]) {
    t.equal((await see(path, auditor)).status, 404, path)
  }
  t.equal((await see('/sign-out', auditor)).status, 404)
  t.equal((await see('/', auditor)).status, 200)
})

t.test('a cookie that was planted before signing in is not the session after it', async (t) => {
  const begun = await fetch(`${url}/sign-in/begin`, { redirect: 'manual' })
  const pending = begun.headers.getSetCookie()[0]?.split(';')[0] ?? ''
  const callback = await authorize(begun.headers.get('location') ?? '', 'anna.auditor')
  const planted = operator
  const come = await fetch(callback, {
    headers: { cookie: `${pending}; ${planted}` },
    redirect: 'manual',
  })
  const [set = ''] = come.headers.getSetCookie()
  const own = set.split(';')[0] ?? ''
  t.not(own, planted)
  t.match((await see('/', own)).text, 'anna.auditor')
  t.match(
    (await see('/tenants', planted)).text,
    'otto.operator',
    'who planted his own sees his own',
  )
  // What was sealed for one purpose opens nothing at another.
  const [, value = ''] = pending.split(/=(.*)/)
  const name = own.slice(0, own.indexOf('='))
  t.equal((await see('/', `${name}=${value}`)).status, 401)
  t.equal((await see('/', `${name}=`)).status, 401)
})

t.test('a search is kept only as an address of this site, and by its owner', async (t) => {
  const keep = async (title: string, address: string) =>
    send('/saved', { title, address }, { cookie: auditor, origin: url })
  for (const address of [
    '//evil.example/?ask=all',
    'https://evil.example/?ask=all',
    '/launches?end=all',
    '/?ask=all\r\nset-cookie: x=1',
    '/?ask=nothing',
    `/?patient=${'p1.AAAAAAAAAAAAAAAAAAAAAA,'.repeat(400)}`,
  ]) {
    const { status, headers } = await keep('odd', address)
    t.equal(status, 400, address.slice(0, 60))
    t.notOk(headers.get('location'))
  }
  const kept = await keep('<img src=x onerror=alert(1)>', '/?ask=all&outcome=refused&to2=//evil')
  t.equal(kept.status, 303)
  t.match(
    kept.headers.get('location'),
    /^\/\?ask=all&outcome=refused(?:&zone=UTC)?$/,
    'and no more',
  )
  const page = (await see('/', auditor)).text
  t.match(page, '&lt;img src=x')
  t.notMatch(page, '<img')
  const id = /name="id" value="([0-9a-f]{12})"/.exec(page)?.[1] ?? ''
  t.notMatch((await see('/', operator)).text, 'onerror', 'nobody else sees it')
  await send('/saved/remove', { id }, { cookie: operator, origin: url })
  t.match((await see('/', auditor)).text, '&lt;img src=x', 'nor takes it out')
  await send('/saved/remove', { id }, { cookie: auditor, origin: url })
  t.notMatch((await see('/', auditor)).text, 'onerror')
})

t.test('what is typed to end launches by stands in no record and breaks no page', async (t) => {
  const typed = 'John Smith <b>4711</b>'
  for (const more of [{}, { reason }]) {
    const { text } = await send(
      '/launches',
      { tenant: 'north', user: typed, ...more },
      { cookie: operator, origin: url },
    )
    t.notMatch(text, '<b>4711')
  }
  t.notMatch(await hospital.auditText(), /Smith|<b>4711/)
  t.equal((await clinician.fetch(`/launches/${launch}`)).status, 200)
})
