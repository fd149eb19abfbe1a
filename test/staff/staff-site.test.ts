import t from 'tap'
import { launchHash } from '../../src/audit/pseudonyms.ts'
import { revocationReasons } from '../../src/audit/reasons.ts'
import { startHospital } from '../support/hospital.ts'
import { staffOptions } from './staff-rig.ts'

const { url, operations } = await staffOptions()
const hospital = await startHospital({ root: { operations } })
t.teardown(() => hospital.close())

async function signIn(name: string, password: string) {
  const response = await post('/sign-in', { name, password })
  const cookie = response.headers.getSetCookie()[0]?.split(';')[0] ?? ''
  return { response, cookie }
}

function post(path: string, form: Record<string, string>, headers: Record<string, string> = {}) {
  return fetch(`${url}${path}`, {
    method: 'POST',
    redirect: 'manual',
    body: new URLSearchParams(form),
    headers: { origin: url, ...headers },
  })
}

const get = async (path: string, cookie: string) => {
  const response = await fetch(`${url}${path}`, { headers: { cookie }, redirect: 'manual' })
  return { status: response.status, text: await response.text(), headers: response.headers }
}

const auditor = await signIn('anna.auditor', 'correct horse')
const operator = await signIn('otto.operator', 'battery staple')

t.test('who is not signed in sees nothing, and a wrong password is recorded', async (t) => {
  for (const path of [
    '/',
    '/overview',
    '/tenants',
    '/integrity',
    '/export?format=csv',
    '/launch/0123456789abcdef',
  ]) {
    const { status, text } = await get(path, '')
    t.equal(status, 401, path)
    t.match(text, 'Sign in')
  }
  // A password is compared as it came: letter by letter, blanks as well.
  for (const password of ['wrong', 'Correct horse', ' correct horse', 'correct horse ', '']) {
    t.equal((await signIn('anna.auditor', password)).response.status, 403, `"${password}"`)
  }
  t.equal((await signIn('John Smith', 'wrong')).response.status, 403)
  const cookie = auditor.cookie.replace(/.{6}$/, 'AAAAAA')
  t.equal((await get('/', cookie)).status, 401, 'a cookie that was changed')
  const text = await hospital.auditText()
  t.match(text, /"staff\.refused".*"sign_in_invalid"/)
  t.notMatch(text, /Smith/)
})

t.test('cookies and headers', async (t) => {
  const [set = ''] = auditor.response.headers.getSetCookie()
  t.match(set, /^__Host-smart-bff-staff=[^;]+; Path=\/; Secure; HttpOnly; SameSite=Strict$/)
  t.equal(auditor.response.status, 200)
  t.match(await auditor.response.text(), '<meta http-equiv="refresh" content="0; url=/" />')
  const { headers, text } = await get('/', auditor.cookie)
  t.match(
    headers.get('content-security-policy'),
    /default-src 'none'; style-src 'self'; .*frame-ancestors 'none'/,
  )
  t.equal(headers.get('cache-control'), 'no-store')
  t.notMatch(text, /<script|style=|onclick/)
})

t.test(
  "roles: patients are the privacy office's question, launches the service desk's",
  async (t) => {
    t.match((await get('/?ask=all', auditor.cookie)).text, 'Patient id at the EHR')
    t.notMatch((await get('/?ask=all', operator.cookie)).text, 'Patient id at the EHR')
    t.equal((await get('/?patient=p1.AAAAAAAAAAAAAAAAAAAAAA', operator.cookie)).status, 403)
    t.equal((await get('/export?format=csv', operator.cookie)).status, 403)
    t.equal((await get('/integrity', operator.cookie)).status, 403)
    t.match(await hospital.auditText(), /"staff\.refused".*"otto\.operator".*"no_role"/)
  },
)

t.test('a form of another site is refused', async (t) => {
  const foreign = await post(
    '/find',
    { patient: 'p1' },
    { cookie: auditor.cookie, origin: 'https://evil.example' },
  )
  t.equal(foreign.status, 403)
  const site = await post('/find', {}, { cookie: auditor.cookie, 'sec-fetch-site': 'cross-site' })
  t.equal(site.status, 403)
})

t.test('what is typed never stands in an address or in the audit', async (t) => {
  // With a letter that no hash has: four digits by themselves stand in some.
  const response = await post(
    '/find',
    { patient: 'Smith-4711Q', user: 'Patient/Smith-4711Q', last: '7' },
    { cookie: auditor.cookie },
  )
  t.equal(response.status, 303)
  const location = response.headers.get('location') ?? ''
  t.notMatch(location, /Smith|4711Q/)
  t.match(location, /patient=p1\.[A-Za-z0-9_-]{22}/)
  t.match(location, /user=p1\./)
  t.equal((await get(location, auditor.cookie)).status, 200)
  const text = await hospital.auditText()
  t.notMatch(text, /Smith|4711Q/)
  t.match(text, /"staff\.searched".*"user":"anna\.auditor".*"patient=p1\./)
})

t.test('injection through every field is not understood, or finds nothing', async (t) => {
  const hostile = [
    `' OR 1=1 --`,
    '<script>alert(1)</script>',
    '../../etc/passwd',
    '\u0000',
    '%00',
    'a'.repeat(5000),
  ]
  for (const name of [
    'patient',
    'user',
    'tenant',
    'launch',
    'request',
    'outcome',
    'event',
    'resource',
    'from',
    'to',
    'zone',
    'ask',
    'around',
    'last',
    'after',
    'denied',
  ]) {
    for (const value of hostile) {
      const { status, text } = await get(
        `/?${new URLSearchParams({ [name]: value }).toString()}`,
        auditor.cookie,
      )
      t.ok(status === 400 || status === 414, `${name} ${String(status)}`)
      t.notMatch(text, /<script/)
    }
  }
  for (const path of ['/launch/..%2f..', '/launch/0123', '/%2e%2e/x', '/staff.css/x']) {
    t.equal((await get(path, auditor.cookie)).status, 404, path)
  }
})

t.test('bodies that are no form of ours are refused in words, and are no fault', async (t) => {
  const send = async (body: string, type: string) => {
    const response = await fetch(`${url}/find`, {
      method: 'POST',
      body,
      headers: { cookie: auditor.cookie, origin: url, 'content-type': type },
    })
    return { status: response.status, text: await response.text() }
  }
  const form = 'application/x-www-form-urlencoded'
  for (const [body, type, status] of [
    ['{"patient":"1"}', 'application/json; charset=x', 415],
    ['<a/>', 'text/xml', 415],
    [`patient=${'a'.repeat(20_000)}`, form, 413],
  ] as const) {
    const answer = await send(body, type)
    t.equal(answer.status, status, type)
    t.match(answer.text, 'Not understood')
  }
  const odd = await send('__proto__[x]=1&patient=%FF&ask[]=open&zone=Mars', form)
  t.equal(odd.status, 400, 'a zone that is none')
  t.equal((await get('/?tenant=north&tenant=south', auditor.cookie)).status, 400, 'twice')
  for (const method of ['PUT', 'DELETE', 'PATCH', 'OPTIONS']) {
    const { status } = await fetch(`${url}/launches`, {
      method,
      headers: { cookie: operator.cookie },
    })
    t.equal(status, 404, method)
  }
})

t.test('one launch is one story, exported with a record of its own', async (t) => {
  const browser = hospital.browser()
  const [patient] = hospital.sandbox.patients
  await browser.launch({ patient: patient?.id ?? '' })
  const refused = await browser.navigate(
    `${hospital.publicUrl}/launch?iss=https://unknown.example&launch=x`,
  )
  const incident = refused.response.headers.get('smart-bff-request') ?? ''
  const found = await get(`/?request=${incident}`, auditor.cookie)
  t.match(found.text, 'LAUNCH_ISS_UNKNOWN')
  const opened = await get('/?event=launch.authorized', auditor.cookie)
  const hash = /\/launch\/([0-9a-f]{16})/.exec(opened.text)?.[1] ?? ''
  const story = await get(`/launch/${hash}`, auditor.cookie)
  t.match(story.text, 'The app opened and is in use.')
  t.match(story.text, 'The EHR asked to open the app.')
  t.match(story.text, 'Scopes')
  const csv = await get(`/export?format=csv&launch=${hash}`, auditor.cookie)
  t.match(csv.headers.get('content-type'), 'text/csv')
  t.match(csv.text, /^time,event,.*\r\n.*launch\.authorized/s)
  const lines = (await get(`/export?format=ndjson&launch=${hash}`, auditor.cookie)).text
    .trim()
    .split('\n')
  t.ok(lines.every((line) => JSON.parse(line).launch === hash))
  t.match(await hospital.auditText(), /"staff\.exported".*"format=csv"/)
})

t.test('overview: rates, not only counts, and a row for each tenant', async (t) => {
  const { text } = await get('/overview?days=7', auditor.cookie)
  t.match(text, 'Launches by outcome')
  t.match(text, '<rect')
  t.match(text, /aria-label="Launches by outcome: opened \d+/)
  t.match(text, /North Hospital<\/a><\/th><td[^>]*>\d+<\/td>/)
  t.equal((await get('/overview?days=999&tenant=none', auditor.cookie)).status, 200)
})

t.test(
  'a tenant: circuit, discovery, what ends, what launches have shown, unused scopes',
  async (t) => {
    const all = await get('/tenants', operator.cookie)
    t.match(all.text, 'This replica is <strong>ready</strong>. ')
    t.match(all.text, 'circuit closed')
    const { text } = await get('/tenants/north', operator.cookie)
    t.match(text, /Discovery last read<\/dt><dd>20\d\d-/)
    t.match(text, 'Client key s1 (ES384, signs)')
    t.match(text, 'Scopes granted and used, over 90 days')
    t.match(text, /<code>patient\/Observation\.rs<\/code>/)
    const contract = await get('/tenants/north/contract', operator.cookie)
    t.match(contract.text, 'client authentication')
    t.match(contract.text, '<code>private_key_jwt</code>')
    t.notMatch(contract.text, /style=|<script/)
    for (const path of ['/tenants/none', '/tenants/none/contract', '/tenants/NORTH']) {
      t.equal((await get(path, operator.cookie)).status, 404, path)
    }
    t.match(await hospital.auditText(), /"page=contract","tenant=north"/)
  },
)

t.test('integrity: the last verification stays to be seen, with who asked for it', async (t) => {
  const before = await get('/integrity', auditor.cookie)
  t.match(before.text, 'Not verified since this process started.')
  t.match(before.text, 'up to date')
  const verified = await post('/integrity', {}, { cookie: auditor.cookie })
  t.match(await verified.text(), />whole<\/td>/)
  const after = await get('/integrity', auditor.cookie)
  t.match(after.text, /by anna\.auditor, in /)
  t.match(after.text, 'every file was whole')
})

t.test('live launches; one is ended, with a reason, and its owner is told so', async (t) => {
  const browser = hospital.browser()
  const launched = await browser.launch({ patient: hospital.sandbox.patients[1]?.id ?? '' })
  t.equal((await browser.fetch(`/launches/${launched.launch}`)).status, 200)
  t.equal((await get('/launches', auditor.cookie)).status, 403)
  const hash = launchHash(launched.launch)
  t.match((await get('/launches', operator.cookie)).text, hash)
  const none = await post(
    '/launches',
    { tenant: 'north', reason: 'whim', launch: hash },
    { cookie: operator.cookie },
  )
  t.equal(none.status, 400)
  const [reason] = revocationReasons
  const ended = await post(
    '/launches',
    { tenant: 'north', reason, launch: hash },
    { cookie: operator.cookie },
  )
  t.match(await ended.text(), '1 launch ended.')
  t.notMatch((await get('/launches', operator.cookie)).text, hash)
  t.equal((await browser.fetch(`/launches/${launched.launch}`)).status, 401)
  t.match(await hospital.auditText(), /"revocation\.ordered".*"otto\.operator"/)
})

t.test('signing out, and probes that need no sign-in', async (t) => {
  const response = await post('/sign-out', {}, { cookie: operator.cookie })
  t.equal(response.status, 303)
  t.match(response.headers.get('set-cookie'), /^__Host-smart-bff-staff=; .*Max-Age=0/)
  t.equal((await fetch(`${url}/readyz`)).status, 200)
})
