import t from 'tap'
import { createAudit } from '../../src/audit/audit.ts'
import type { AuditEvent } from '../../src/audit/event.ts'
import { auditConfig } from './support.ts'

/** The audit stands on the way of every FHIR call: under 30 microseconds of CPU each, with 50 calls at a time. */
const access: AuditEvent = {
  event: 'fhir.access',
  outcome: 'success',
  tenant: 'north',
  mode: 'chart',
  launch: 'XyZ',
  request: '7K3M-9QXW-2B',
  client: '10.1.2.3',
  user: { issuer: 'i', subject: 's', fhirUser: 'Practitioner/7', kind: 'practitioner' },
  patient: 'p1',
  rule: 'Patient banner',
  interaction: 'search-type',
  resource: 'Observation',
  parameters: [
    { name: 'category', value: 'vital-signs' },
    { name: '_count', value: '50' },
  ],
  status: 200,
  upstreamStatus: 200,
  count: 50,
  bytes: 81_920,
  ms: 12,
}

t.test('what a record costs', async (t) => {
  const audit = await createAudit({ config: auditConfig() })
  const run = async (rounds: number): Promise<number> => {
    const before = process.cpuUsage()
    for (let round = 0; round < rounds; round += 1) {
      await Promise.all(Array.from({ length: 50 }, () => audit.record(access)))
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
