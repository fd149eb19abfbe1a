import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { openClinic } from '../support/clinic/clinic.ts'
import { spendDay } from '../support/clinic/day.ts'
import { createFaults } from '../support/clinic/faults.ts'
import { patientMs } from '../support/clinic/redis-faults.ts'
import { showDay } from '../support/clinic/report.ts'
import { startSentinelGroup } from '../support/redis-groups.ts'

/**
 * 2,000 live launches on two replicas, a clinic's mix for at least ten minutes, and each fault in the middle of it. Every
 * answer is held against the patient of its chart. The table of what users saw is kept: test/long/load.json.
 */
const minute = 60_000
const live = 2000
/** Some are between two charts, or cannot open one while the EHR is down. */
const clinicians = 2200
const workMs = 10 * minute
const timeoutMs = 5000
/** Some 50 reads a second on each replica, which take a slow EHR 1.7 s: 85 at once (docs/operate.md, Size). */
const connections = 128

t.test(
  '2,000 launches, and every fault of EHR and machine',
  { timeout: 50 * minute },
  async (t) => {
    const redis = await startSentinelGroup({ durable: true, downAfterMs: patientMs })
    const clinic = await openClinic({
      store: { redis: redis.config },
      thinkMs: { from: 3 * minute, to: 7 * minute },
      accessTokenSeconds: 300,
      timeoutMs,
      connections,
      circuitOpenSeconds: 15,
      limitMs: 60 * minute,
    })
    t.teardown(async () => {
      await clinic.close()
      await redis.stop()
    })
    const day = await spendDay(t, clinic, {
      clinicians,
      everyMs: 110,
      live,
      calmMs: 20_000,
      faultMs: 15_000,
      signLimitMs: minute,
      recoverLimitMs: 2 * minute,
      quietMs: 6000,
      workMs,
      faults: createFaults({ redis, timeoutMs }),
    })
    const path = join(import.meta.dirname, 'load.json')
    writeFileSync(path, `${JSON.stringify({ clinicians, ...day }, undefined, 2)}\n`)
    process.stdout.write(showDay(day))

    t.ok(day.minutes * minute >= workMs, `people worked for ${day.minutes} minutes`)
    t.ok(day.leastLive >= live, `at every moment of it ${day.leastLive} launches or more were live`)
    for (const count of [...day.counted.before, ...day.counted.end]) {
      t.ok(count >= live, `a replica counted ${count} live launches`)
    }
  },
)
