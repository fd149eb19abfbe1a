import { readFileSync } from 'node:fs'
import t from 'tap'
import { openClinic } from '../support/clinic/clinic.ts'
import { spendDay } from '../support/clinic/day.ts'
import { createFaults } from '../support/clinic/faults.ts'
import { patientMs } from '../support/clinic/redis-faults.ts'
import { showDay } from '../support/clinic/report.ts'
import { startSentinelGroup } from '../support/redis-groups.ts'

/** Each fault once, with a few people at work. With 2,000 launches: test/long/load.long.ts. */
const clinicians = 8
const timeoutMs = 4000

t.test('people work on through every fault of EHR and machine', { timeout: 300_000 }, async (t) => {
  const redis = await startSentinelGroup({ durable: true, downAfterMs: patientMs })
  const clinic = await openClinic({
    store: { redis: redis.config },
    thinkMs: { from: 100, to: 400 },
    accessTokenSeconds: 20,
    timeoutMs,
    circuitOpenSeconds: 1,
    limitMs: 300_000,
  })
  t.teardown(async () => {
    await clinic.close()
    await redis.stop()
  })
  const faults = createFaults({ redis, timeoutMs })
  const day = await spendDay(t, clinic, {
    clinicians,
    everyMs: 50,
    // Now and then one of them is between two charts.
    live: clinicians - 1,
    calmMs: 800,
    faultMs: 1500,
    signLimitMs: 20_000,
    recoverLimitMs: 30_000,
    quietMs: 2500,
    workMs: 0,
    faults,
  })
  t.comment(showDay(day))

  const operate = readFileSync(new URL('../../docs/operate.md', import.meta.url), 'utf8')
  for (const { name } of faults) t.match(operate, `| ${name} |`, `docs/operate.md has: ${name}`)
})
