import { setTimeout as sleep } from 'node:timers/promises'
import t from 'tap'
import { runMaintenance } from '../../src/cli/maintenance.ts'
import { startHospital, type TestBrowser } from '../support/hospital.ts'
import { startSentinelGroup } from '../support/redis-groups.ts'

/** Clinicians at work while a Redis replica stands still, and while the master dies and Sentinel puts another in its place. */
t.test('a failover ends no launch and forgets no end', { timeout: 240_000 }, async (t) => {
  const group = await startSentinelGroup()
  const hospital = await startHospital({
    refreshTokens: 'rotate',
    root: { store: { redis: group.config } },
    mode: { scopes: ['launch', 'openid', 'fhirUser', 'offline_access', 'patient/Patient.rs'] },
  })
  t.teardown(async () => {
    group.replica.resume()
    await hospital.close()
    await group.stop()
  })
  const { sandbox } = hospital
  const patient = sandbox.patient('amara').id
  const begin = async () => {
    const browser = hospital.browser()
    return { browser, launch: (await browser.launch({ patient })).launch }
  }
  const state = async (answer: Response): Promise<string> => {
    await answer.body?.cancel()
    return `${answer.status} ${answer.headers.get('smart-bff-state') ?? ''}`.trim()
  }
  const read = async ({ browser, launch }: { browser: TestBrowser; launch: string }) =>
    state(await browser.fetch(`/fhir/${launch}/Patient/${patient}`))
  const info = async ({ browser, launch }: { browser: TestBrowser; launch: string }) =>
    state(await browser.fetch(`/launches/${launch}`))
  const order = async (launch: string) => {
    let told = ''
    const code = await runMaintenance(
      {
        kind: 'revoke',
        target: { kind: 'launch', launch },
        reason: 'incident',
        by: 'anna',
        config: undefined,
      },
      hospital.config,
      { write: (text: string) => (told += text) },
    )
    return { code, told }
  }

  const [working, gone] = [await begin(), await begin()]
  t.strictSame([await read(working), await read(gone)], ['200', '200'])

  await t.test('smart-bff revoke says so where no replica of Redis has confirmed it', async (t) => {
    group.replica.pause()
    const unsure = await order(gone.launch)
    t.equal(unsure.code, 1, unsure.told)
    t.match(unsure.told, /^1 launch ended/)
    t.match(unsure.told, 'No replica of the store has confirmed this')
    t.equal(await read(gone), '401 session_ended', 'it is over all the same')
    group.replica.resume()
    const sure = await order(gone.launch)
    t.match(sure, { code: 0, told: /^0 launches ended/ })
    const carried = (await hospital.audit()).filter(
      ({ event }) => event === 'revocation.carried_out',
    )
    t.match(
      carried.map(({ outcome }) => outcome),
      ['failed', 'success'],
    )
  })

  await t.test('the master dies', async (t) => {
    await group.master.kill()
    const seen = new Set<string>()
    const ended = new Set<string>()
    const until = Date.now() + 90_000
    for (let good = 0; good < 5;) {
      if (Date.now() > until) throw new Error('the store did not come back')
      const answers = [await read(working), await info(working)]
      for (const answer of answers) seen.add(answer)
      ended.add(await read(gone)).add(await info(gone))
      good = answers.every((answer) => answer === '200') ? good + 1 : 0
      await sleep(100)
    }
    t.strictSame([...seen].toSorted(), ['200', '503 data_unavailable'], 'a fault, never a logout')
    for (const answer of ended) t.match(answer, /^(401 session_ended|503 data_unavailable)$/)
    t.equal(await read(gone), '401 session_ended')
    sandbox.control.revoke('access')
    t.equal(await read(working), '200', 'tokens are renewed over the new master')
    t.equal(await read(await begin()), '200', 'and launches begin')
  })
})
