import t from 'tap'
import { createAudit } from '../../src/audit/audit.ts'
import { accessEvent } from '../performance/parts/access-event.ts'
import { auditConfig } from './support.ts'

/** The audit stands on the way of every FHIR call: under 30 microseconds of CPU each, with 50 calls at a time. */
t.test('what a record costs', async (t) => {
  const audit = await createAudit({ config: auditConfig() })
  const run = async (rounds: number): Promise<number> => {
    const before = process.cpuUsage()
    for (let round = 0; round < rounds; round += 1) {
      await Promise.all(Array.from({ length: 50 }, () => audit.record(accessEvent)))
    }
    const { user, system } = process.cpuUsage(before)
    return (user + system) / (rounds * 50)
  }
  await run(100)
  const costs = [await run(100), await run(100), await run(100)]
  const microseconds = Math.min(...costs)
  await audit.close()
  t.comment(`${microseconds.toFixed(1)} microseconds a record`)
  t.ok(microseconds < 30, `${microseconds.toFixed(1)} microseconds`)
})
