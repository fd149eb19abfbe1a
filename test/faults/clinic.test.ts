import { mkdtempSync, rmSync } from 'node:fs'
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

/** Each fault once, with a few people at work. With 2,000 launches: test/long/load.long.ts. */
const small = {
  clinicians: 8,
  everyMs: 50,
  calmMs: 800,
  faultMs: 1500,
  recoverLimitMs: 30_000,
  quietMs: 2500,
}
const clinicOptions = {
  thinkMs: { from: 100, to: 400 },
  accessTokenSeconds: 20,
  timeoutMs: 2500,
  circuitOpenSeconds: 1,
  limitMs: 240_000,
}

t.test('people work on through every fault of EHR and machine', { timeout: 240_000 }, async (t) => {
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
  const rows = await spendDay(t, clinic, {
    ...small,
    faults: [
      createReplicaKilled(),
      { ...restarted, begin: () => redis.stop() },
      ...commonFaults(clinicOptions),
    ],
  })
  t.comment(showDay(rows))
})

t.test('people work on through a failover of Redis', { timeout: 120_000 }, async (t) => {
  const group = await startSentinelGroup()
  const clinic = await openClinic({ ...clinicOptions, store: { redis: group.config } })
  t.teardown(async () => {
    await clinic.close()
    await group.stop()
  })
  const rows = await spendDay(t, clinic, { ...small, faults: [createFailover(group)] })
  t.comment(showDay(rows))
})
