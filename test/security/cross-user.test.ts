import t from 'tap'
import { startHospital } from '../support/hospital.ts'

/**
 * Answers handed to somebody else (nextjs-auth0 CVE-2026-40155, #2582; @fastify/reply-from GHSA-v574-6498-x57v): users,
 * patients and refreshes all at the same instant, and everybody gets what is his.
 */
t.test('of many users at one instant each gets his own patient', async (t) => {
  const hospital = await startHospital({
    refreshTokens: 'rotate',
    mode: { scopes: ['launch', 'openid', 'fhirUser', 'offline_access', 'patient/Patient.rs'] },
  })
  t.teardown(() => hospital.close())
  const { sandbox } = hospital
  const patients = sandbox.patients.slice(0, 8).map(({ id }) => id)
  const users = await Promise.all(
    patients.map(async (patient) => {
      const browser = hospital.browser()
      return { patient, browser, launch: (await browser.launch({ patient })).launch }
    }),
  )
  for (let round = 0; round < 3; round += 1) {
    sandbox.control.clearRequests()
    // Every token is refused at the same instant, so that all are renewed at the same instant.
    sandbox.control.revoke('access')
    const answers = await Promise.all(
      Array.from({ length: 10 }, () => users)
        .flat()
        .map(async ({ patient, browser, launch }) => {
          const answer = await browser.fetch(`/fhir/${launch}/Patient/${patient}`)
          const { id } = (await answer.json()) as { id?: string }
          return { patient, id, status: answer.status }
        }),
    )
    for (const { patient, id, status } of answers) t.strictSame([status, id], [200, patient])
    const refreshes = sandbox.requests().filter(({ where }) => where === 'token')
    t.equal(refreshes.length, users.length, 'each token is renewed once')
    const tokens = sandbox.requests().filter(({ where }) => where === 'fhir')
    const byPatient = new Map<string, Set<string | undefined>>()
    for (const { path, authorization } of tokens) {
      const held = byPatient.get(path) ?? new Set()
      byPatient.set(path, held.add(authorization?.sha256))
    }
    const used = [...byPatient.values()].flatMap((held) => [...held])
    t.equal(new Set(used).size, used.length, 'and none serves two patients')
  }
  for (const { browser, launch } of users) {
    for (const other of users) {
      if (other.launch === launch) continue
      const answer = await browser.fetch(`/fhir/${other.launch}/Patient/${other.patient}`)
      t.equal(answer.status, 401, 'somebody else’s launch is nobody’s')
      await answer.body?.cancel()
    }
  }
})
