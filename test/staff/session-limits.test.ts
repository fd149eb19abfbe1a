import t from 'tap'
import { holdClock } from '../support/clock.ts'
import { startHospital } from '../support/hospital.ts'
import { staffOptions } from './staff-rig.ts'

/** A session of the staff: over after half an hour without a visit, and after eight hours however busy (DESIGN, Cookies). */
const clock = holdClock()
const { url, operations } = await staffOptions()
const hospital = await startHospital({ root: { operations } })
t.teardown(async () => {
  await hospital.close()
  clock.release()
})
const minute = 60_000

/** A member whose browser keeps what each page gives it. */
async function signIn() {
  let cookie = ''
  const keep = (response: Response): void => {
    const [set] = response.headers.getSetCookie()
    if (set !== undefined) cookie = set.split(';')[0] ?? ''
  }
  const body = new URLSearchParams({ name: 'otto.operator', password: 'battery staple' })
  keep(await fetch(`${url}/sign-in`, { method: 'POST', body, redirect: 'manual' }))
  return async (path: string) => {
    const response = await fetch(url + path, { headers: { cookie }, redirect: 'manual' })
    keep(response)
    return { status: response.status, text: await response.text() }
  }
}

t.test('half an hour without a visit ends it', async (t) => {
  const see = await signIn()
  clock.forward(29 * minute)
  t.equal((await see('/tenants')).status, 200)
  clock.forward(29 * minute)
  t.equal((await see('/tenants')).status, 200, 'each visit begins the half hour anew')
  clock.forward(31 * minute)
  const over = await see('/tenants')
  t.equal(over.status, 401)
  t.match(over.text, 'Your session is over')
  t.notMatch(over.text, 'North Hospital')
  t.equal((await see('/tenants')).status, 401, 'and the refusal does not bring it back')
  t.match(await hospital.auditText(), /"staff\.refused".*"user":"otto\.operator".*"session_over"/)
})

t.test('eight hours after signing in it ends, however busy', async (t) => {
  const see = await signIn()
  for (let visit = 1; visit <= 23; visit += 1) {
    clock.forward(20 * minute)
    t.equal((await see('/tenants')).status, 200, `after ${String(visit * 20)} minutes`)
  }
  clock.forward(19 * minute)
  t.equal((await see('/tenants')).status, 200, 'a minute before')
  clock.forward(2 * minute)
  const over = await see('/tenants')
  t.equal(over.status, 401, 'a minute after')
  t.match(over.text, 'Your session is over')
  t.equal((await (await signIn())('/tenants')).status, 200, 'signing in again begins a new one')
})
