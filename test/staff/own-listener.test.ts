import t from 'tap'
import { freePort } from '../support/http.ts'
import { startHospital } from '../support/hospital.ts'
import { credentials, local, signInAs } from './staff-rig.ts'

/** The staff site on a listener of its own: what it answers is kept by nobody, as on the operations listener. */
const port = await freePort()
const site = `http://localhost:${String(port)}`
const hospital = await startHospital({
  root: {
    operations: {
      listen: { host: 'localhost', port: 0 },
      publicUrl: site,
      staff: { local, listen: { host: 'localhost', port } },
    },
  },
})
t.teardown(() => hospital.close())
const cookie = await signInAs('auditor', site)

const asked: readonly (readonly [status: number, path: string, init?: RequestInit])[] = [
  [200, '/?ask=all', { headers: { cookie } }],
  [200, '/integrity', { headers: { cookie } }],
  [200, '/export?format=ndjson', { headers: { cookie } }],
  [401, '/overview'],
  [200, '/sign-in'],
  [200, '/sign-in', { method: 'POST', body: new URLSearchParams(credentials.operator) }],
  [
    303,
    '/find',
    { method: 'POST', body: new URLSearchParams({ ask: 'all' }), headers: { cookie } },
  ],
  [200, '/staff.css'],
  [404, '/nowhere'],
  [404, '/nowhere', { method: 'POST' }],
  [415, '/find', { method: 'POST', body: '{}', headers: { 'content-type': 'application/json' } }],
]

t.test('no answer is kept, and none is taken for another type', async (t) => {
  t.match(cookie, '__Host-smart-bff-staff=')
  for (const [status, path, init = {}] of asked) {
    const answer = await fetch(site + path, { redirect: 'manual', ...init })
    const said = `${init.method ?? 'GET'} ${path}`
    t.equal(answer.status, status, said)
    t.equal(answer.headers.get('cache-control'), 'no-store', said)
    t.equal(answer.headers.get('x-content-type-options'), 'nosniff', said)
    t.match(answer.headers.get('content-security-policy'), /default-src 'none'/, said)
    t.notMatch(await answer.text(), /"message"|stack/, said)
  }
})

t.test('the probes are not there, and the site is not where they are', async (t) => {
  t.equal((await fetch(`${site}/metrics`)).status, 404)
  t.equal((await fetch(`${hospital.operationsUrl}/sign-in`)).status, 404)
})
