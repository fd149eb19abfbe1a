import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import { openClinic } from '../support/clinic/clinic.ts'
import { spendDay } from '../support/clinic/day.ts'
import {
  commonFaults,
  createFailover,
  createRedisRestarted,
  createReplicaKilled,
} from '../support/clinic/faults.ts'
import { showDay } from '../support/clinic/report.ts'
import { startRedis } from '../support/redis.ts'
import { startSentinelGroup } from '../support/redis-groups.ts'

/**
 * 2,000 live launches on two replicas, a clinic's mix, and each fault in the middle of it. Every answer is held against
 * the patient of its chart. The table of what users saw is kept: test/long/load.json.
 */
const minute = 60_000
const clinicOptions = {
  thinkMs: { from: 3 * minute, to: 7 * minute },
  accessTokenSeconds: 300,
  timeoutMs: 5000,
  circuitOpenSeconds: 15,
  limitMs: 60 * minute,
}
const plan = {
  clinicians: 2000,
  everyMs: 110,
  calmMs: 20_000,
  faultMs: 15_000,
  recoverLimitMs: 2 * minute,
  quietMs: 6000,
}

t.test(
  '2,000 launches, and every fault of EHR and machine',
  { timeout: 50 * minute },
  async (t) => {
    const folder = mkdtempSync(join(tmpdir(), 'smart-bff-redis-data-'))
    const args = ['--dir', folder, '--appendonly', 'yes']
    let redis = await startRedis({ args })
    const clinic = await openClinic({ ...clinicOptions, store: { redis: { url: redis.url } } })
    t.teardown(async () => {
      await clinic.close()
      await redis.stop()
      rmSync(folder, { recursive: true, force: true })
    })
    const restarted = createRedisRestarted({
      restart: async () => (redis = await startRedis({ args, port: redis.port })),
    })
    const faults = [
      createReplicaKilled(),
      { ...restarted, begin: () => redis.stop() },
      ...commonFaults(clinicOptions),
    ]
    const rows = await spendDay(t, clinic, { ...plan, faults })
    t.ok(clinic.live() > 1900, `${clinic.live()} launches are live at the end`)
    keep('load.json', rows)
  },
)

t.test('200 launches, and a failover of Redis', { timeout: 10 * minute }, async (t) => {
  const group = await startSentinelGroup()
  const clinic = await openClinic({
    ...clinicOptions,
    thinkMs: { from: 5000, to: 20_000 },
    store: { redis: group.config },
  })
  t.teardown(async () => {
    await clinic.close()
    await group.stop()
  })
  const faults = [createFailover(group)]
  keep('load-failover.json', await spendDay(t, clinic, { ...plan, clinicians: 200, faults }))
})

function keep(name: string, rows: Awaited<ReturnType<typeof spendDay>>): void {
  writeFileSync(join(import.meta.dirname, name), `${JSON.stringify(rows, undefined, 2)}\n`)
  process.stdout.write(showDay(rows))
}
