import t from 'tap'
import { runMaintenance } from '../../src/cli/maintenance.ts'
import type { Config } from '../../src/config/schema/config.ts'
import { Secret } from '../../src/config/secret.ts'
import { rawKeys } from '../support/config.ts'
import { startHospital, type Hospital } from '../support/hospital.ts'
import { newSecretKey } from '../support/keys.ts'
import { startRedis } from '../support/redis.ts'
import { until } from '../support/until.ts'

/**
 * The rotation of the encryption key and of the session secret as docs/operate.md says, by reloads of two replicas that
 * are read from all the while: nobody sees an error, and in the end the old keys are gone.
 */
t.test('keys are rotated by reloads under load', { timeout: 120_000 }, async (t) => {
  const redis = await startRedis()
  const root = { store: { redis: { url: redis.url } }, keys: rawKeys() }
  // Both prove themselves to the EHR alike.
  const client = { id: 'app', auth: 'client_secret_basic', secret: newSecretKey() }
  const first = await startHospital({ root, tenant: { client } })
  const second = await startHospital({ root, tenant: { client }, beside: first })
  t.teardown(async () => {
    await second.close()
    await first.close()
    await redis.stop()
  })
  const patient = first.sandbox.patient('amara').id
  const [old] = first.config.keys.encryption
  const [oldSession] = first.config.keys.session
  if (old === undefined || oldSession === undefined) throw new Error('no keys')
  const fresh = { id: 'k2', secret: new Secret(newSecretKey()) }
  const freshSession = new Secret(newSecretKey())

  const wrong: string[] = []
  let reads = 0
  const end = { stopping: false }
  /** One person, whose requests reach either replica in turn; opens a chart anew now and then. */
  const work = async (index: number): Promise<void> => {
    const browser = first.browser()
    const other = second.browser()
    let launch = ''
    for (let round = 0; !end.stopping; round += 1) {
      try {
        if (round % 10 === 0) ({ launch } = await browser.launch({ patient }))
        for (const [name, value] of browser.jar.cookies) other.jar.keep(`${name}=${value}`)
        const answer = await (round % 2 === index % 2 ? browser : other).fetch(
          `/fhir/${launch}/Patient/${patient}`,
        )
        await answer.body?.cancel()
        if (answer.status !== 200) wrong.push(`${String(round)}: ${String(answer.status)}`)
        reads += 1
      } catch (error) {
        wrong.push(String(error))
      }
    }
  }
  const working = [0, 1, 2, 3].map(work)
  const readOn = async (): Promise<void> => {
    const before = reads
    await until(
      () => reads,
      (count) => count > before + 60,
    )
  }
  const reload = async (
    { app, config }: Hospital,
    encryption: Config['keys']['encryption'],
    session: readonly Secret[],
  ): Promise<void> => {
    const keys = { ...config.keys, encryption, session: [...session] }
    t.match(await app.reload({ ...config, keys }), { applied: true })
    await readOn()
  }
  await readOn()
  for (const [encryption, session] of [
    [
      [old, fresh],
      [oldSession, freshSession],
    ],
    [
      [fresh, old],
      [freshSession, oldSession],
    ],
  ] as const) {
    await reload(first, [...encryption], session)
    await reload(second, [...encryption], session)
  }
  const rotated = { ...first.config, keys: { ...first.config.keys, encryption: [fresh, old] } }
  const output = { write: () => true }
  const code = await runMaintenance({ kind: 'keys-rotate', config: undefined }, rotated, output)
  t.equal(code, 0)
  await reload(first, [fresh], [freshSession, oldSession])
  await reload(second, [fresh], [freshSession, oldSession])
  end.stopping = true
  await Promise.all(working)
  t.same(wrong, [])
  t.ok(reads > 400, `${String(reads)} reads`)
})
