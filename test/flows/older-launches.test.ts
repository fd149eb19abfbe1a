import t, { type Test } from 'tap'
import type { Hospital, TestBrowser } from '../support/hospital.ts'
import { startHospital } from '../support/hospital.ts'

/** What a new launch does to the older ones of its browser, through both processes. */

async function hospitalWith(t: Test, options: Parameters<typeof startHospital>[0]) {
  const hospital = await startHospital(options)
  t.teardown(() => hospital.close())
  return hospital
}

const patientsOf = ({ sandbox }: Hospital) => sandbox.patients.map(({ id }) => id)
const states = async (browser: TestBrowser, launches: readonly string[]) =>
  Promise.all(
    launches.map(async (launch) => {
      const answer = await browser.fetch(`/launches/${launch}`)
      return [answer.status, answer.headers.get('smart-bff-state') ?? 'active'].join(' ')
    }),
  )
const open = async (browser: TestBrowser, patients: readonly string[]) => {
  const launches: string[] = []
  for (const patient of patients) {
    // oxlint-disable-next-line no-await-in-loop -- one after the other is the point
    launches.push((await browser.launch({ patient })).launch)
  }
  return launches
}

t.test(
  'the oldest beyond launchesPerBrowser is ended, says so, is recorded and revoked',
  async (t) => {
    const hospital = await hospitalWith(t, { root: { session: { launchesPerBrowser: 2 } } })
    const browser = hospital.browser()
    const launches = await open(browser, patientsOf(hospital).slice(0, 3))

    t.same(await states(browser, launches), ['409 context_changed', '200 active', '200 active'])
    const refused = (await (await browser.fetch(`/launches/${launches[0]}`)).json()) as object
    t.match(refused, { sentence: /Too many charts were open/ })
    const page = await browser.navigate(`${hospital.publicUrl}/app/${launches[0]}/`)
    t.match(await page.response.text(), /Too many charts are open/)

    const ends = (await hospital.audit()).filter(({ event }) => event === 'launch.transition')
    t.match(ends, [{ state: 'superseded', reason: 'launch_limit', outcome: 'success' }])
    await untilRevoked(hospital, 1)
  },
)

t.test('another user: the launches of the first end, and his session with them', async (t) => {
  const hospital = await hospitalWith(t, {})
  const browser = hospital.browser()
  const [patient = ''] = patientsOf(hospital)
  const [first = '', second = ''] = hospital.sandbox.clinicians.map(
    ({ id }) => `Practitioner/${id}`,
  )
  const before = await browser.launch({ patient, user: first })
  const after = await browser.launch({ patient, user: second })
  t.same(await states(browser, [before.launch, after.launch]), ['401 session_ended', '200 active'])
  const ends = (await hospital.audit()).filter(({ state }) => state === 'ended')
  t.match(
    ends.map(({ event, reason, count }) => [event, reason, count]),
    [
      ['launch.transition', 'other_user', undefined],
      ['session.ended', 'other_user', 1],
    ],
  )
  t.equal(ends[0]?.['request'], ends[1]?.['request'])
  await untilRevoked(hospital, 1)
})

t.test('another browser is not counted', async (t) => {
  const hospital = await hospitalWith(t, { root: { session: { launchesPerBrowser: 1 } } })
  const [one, two] = [hospital.browser(), hospital.browser()]
  const [patient = ''] = patientsOf(hospital)
  const first = await open(one, [patient])
  const second = await open(two, [patient])
  t.same(await states(one, first), ['200 active'])
  t.same(await states(two, second), ['200 active'])
})

t.test('supersede: a launch for another patient takes over; the same patient joins', async (t) => {
  const hospital = await hospitalWith(t, { tenant: { onNewPatient: 'supersede' } })
  const browser = hospital.browser()
  const [a = '', b = ''] = patientsOf(hospital)
  const launches = await open(browser, [a, a, b])
  t.same(await states(browser, launches), [
    '409 context_changed',
    '409 context_changed',
    '200 active',
  ])
  const ends = (await hospital.audit()).filter(({ event }) => event === 'launch.transition')
  t.match(ends, [
    { state: 'superseded', reason: 'new_patient' },
    { state: 'superseded', reason: 'new_patient' },
  ])
  t.equal(new Set(ends.map(({ request }) => request)).size, 1, 'both by one callback')
  await untilRevoked(hospital, 2)
})

t.test('parallel keeps them; the default follows the vendor', async (t) => {
  for (const [tenant, expected] of [
    [{ vendor: 'epic' }, ['200 active', '200 active']],
    [{ vendor: 'medplum' }, ['409 context_changed', '200 active']],
    [{ vendor: 'medplum', onNewPatient: 'parallel' }, ['200 active', '200 active']],
  ] as const) {
    // oxlint-disable-next-line no-await-in-loop -- one hospital at a time
    const hospital = await hospitalWith(t, { tenant })
    const browser = hospital.browser()
    // oxlint-disable-next-line no-await-in-loop -- see above
    const launches = await open(browser, patientsOf(hospital).slice(0, 2))
    // oxlint-disable-next-line no-await-in-loop -- see above
    t.same(await states(browser, launches), expected, JSON.stringify(tenant))
  }
})

/** Revocation does not keep the user waiting, so it may come after the answer. */
async function untilRevoked(hospital: Hospital, count: number): Promise<void> {
  const until = performance.now() + 5_000
  const revoked = () => hospital.sandbox.requests().filter(({ where }) => where === 'revoke').length
  while (revoked() < count) {
    if (performance.now() > until) throw new Error(`revoked: ${revoked()} of ${count}`)
    // oxlint-disable-next-line no-await-in-loop -- polling is the point
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
}
