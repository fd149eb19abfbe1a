import { setTimeout as sleep } from 'node:timers/promises'
import t from 'tap'
import { startHospital, type TestBrowser } from '../support/hospital.ts'
import { until } from '../support/until.ts'

/** What happens at the same instant: launches, ends, refreshes and another user, in one browser. */

const hospital = await startHospital({
  refreshTokens: 'rotate',
  mode: { scopes: ['launch', 'openid', 'fhirUser', 'offline_access', 'patient/Patient.rs'] },
})
t.teardown(() => hospital.close())
const { sandbox, publicUrl } = hospital
const patients = sandbox.patients.slice(0, 6).map(({ id }) => id)
const [ada, bob] = sandbox.clinicians
const [amara = ''] = patients
if (!ada || !bob) throw new Error('two clinicians')

const read = async (browser: TestBrowser, launch: string, patient: string): Promise<string> => {
  const answer = await browser.fetch(`/fhir/${launch}/Patient/${patient}`)
  await answer.body?.cancel()
  return `${answer.status} ${answer.headers.get('smart-bff-state') ?? ''}`.trim()
}
const endAll = async (browser: TestBrowser): Promise<number> => {
  const answer = await browser.fetch('/session', {
    method: 'DELETE',
    headers: { origin: publicUrl },
  })
  return answer.status
}
const refreshTokensSent = (): number =>
  sandbox.requests().filter(({ form }) => form?.['grant_type']?.[0] === 'refresh_token').length

t.test('six launches from an empty jar, and the session ended in their midst', async (t) => {
  let [opened, over] = [0, 0]
  for (let round = 0; round < 8; round += 1) {
    const browser = hospital.browser()
    let done = 0
    const launching = patients.map(async (patient) => {
      const { url, response } = await browser.navigate(sandbox.createLaunch({ patient }).url)
      done += 1
      const launch = /\/app\/([\w-]+)\/$/.exec(url)?.[1]
      return { patient, launch, state: response.headers.get('smart-bff-state') }
    })
    // As soon as one frame has its session, or when some of them stand already.
    const inTheMidst = (): boolean =>
      browser.jar.cookies.has('__Host-smart-bff') && done >= round % 4
    const ended = (async () => {
      // oxlint-disable-next-line no-await-in-loop -- looking again is the point
      while (!inTheMidst()) await sleep(1)
      return endAll(browser)
    })()
    // oxlint-disable-next-line no-await-in-loop -- see above
    const launches = await Promise.all(launching)
    // oxlint-disable-next-line no-await-in-loop -- see above
    t.equal(await ended, 204)
    for (const { patient, launch, state } of launches) {
      if (launch === undefined) {
        t.ok(state, 'who is refused is told a state')
        continue
      }
      // oxlint-disable-next-line no-await-in-loop -- see above
      const own = await read(browser, launch, patient)
      t.match(own, /^(200|401 session_ended)$/)
      opened += own === '200' ? 1 : 0
      over += own === '200' ? 0 : 1
      const foreign = patients.find((other) => other !== patient) ?? ''
      // oxlint-disable-next-line no-await-in-loop -- see above
      t.match(await read(browser, launch, foreign), /^40[134] /, 'never the other patient')
    }
    // oxlint-disable-next-line no-await-in-loop -- see above
    await endAll(browser)
    for (const { patient, launch } of launches) {
      // oxlint-disable-next-line no-await-in-loop -- see above
      if (launch) t.equal(await read(browser, launch, patient), '401 session_ended')
    }
    // oxlint-disable-next-line no-await-in-loop -- see above
    const next = await browser.launch({ patient: amara })
    // oxlint-disable-next-line no-await-in-loop -- see above
    t.equal(await read(browser, next.launch, amara), '200', 'the next launch opens')
  }
  t.ok(over > 0, `${opened} lived on and ${over} were over: the end came in between`)
})

t.test('another user launches while the token of the first is being renewed', async (t) => {
  const browser = hospital.browser()
  const first = await browser.launch({ patient: amara, user: `Practitioner/${ada.id}` })
  t.equal(await read(browser, first.launch, amara), '200')
  sandbox.control.clearRequests()
  sandbox.control.revoke('access')
  // The EHR has given the new token, and the answer is on its way for a while.
  sandbox.control.setFaults([{ where: 'token', kind: 'delay-after', delayMs: 1_500, times: 1 }])
  const reading = read(browser, first.launch, amara)
  await until(refreshTokensSent, (count) => count === 1)
  const second = await browser.launch({
    patient: patients[1] ?? '',
    user: `Practitioner/${bob.id}`,
  })
  t.match(await read(browser, first.launch, amara), /^401 /, 'over as soon as the other is there')
  t.match(await reading, /^401 /, 'and not revived by the token that came late')
  t.match(await read(browser, first.launch, amara), /^401 /)
  t.equal(await read(browser, second.launch, patients[1] ?? ''), '200')
  // The token that was held, and the one that came after the end.
  const revocations = (): number =>
    sandbox.requests().filter(({ where }) => where === 'revoke').length
  await until(revocations, (count) => count >= 2)
  sandbox.control.setFaults([])
})

t.test('a newer launch supersedes the one whose token is being renewed', async (t) => {
  const own = await startHospital({
    refreshTokens: 'rotate',
    tenant: { onNewPatient: 'supersede' },
    mode: { scopes: ['launch', 'openid', 'fhirUser', 'offline_access', 'patient/Patient.rs'] },
  })
  t.teardown(() => own.close())
  const [one = '', two = ''] = own.sandbox.patients.map(({ id }) => id)
  const browser = own.browser()
  const older = await browser.launch({ patient: one })
  own.sandbox.control.clearRequests()
  own.sandbox.control.revoke('access')
  own.sandbox.control.setFaults([{ where: 'token', kind: 'delay-after', delayMs: 1_500, times: 1 }])
  const reading = read(browser, older.launch, one)
  const refreshes = (): number =>
    own.sandbox.requests().filter(({ form }) => form?.['grant_type']?.[0] === 'refresh_token')
      .length
  await until(refreshes, (count) => count === 1)
  const newer = await browser.launch({ patient: two })
  t.equal(await read(browser, older.launch, one), '409 context_changed')
  t.equal(await reading, '409 context_changed', 'not revived by the token that came late')
  t.equal(await read(browser, newer.launch, two), '200')
  await until(
    () => own.sandbox.requests().filter(({ where }) => where === 'revoke').length,
    (count) => count >= 2,
  )
})
