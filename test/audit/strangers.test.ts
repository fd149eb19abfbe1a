import t from 'tap'
import { createAudit } from '../../src/audit/audit.ts'
import { createStrangers } from '../../src/audit/strangers.ts'
import type { AuditEvent } from '../../src/audit/event.ts'
import { auditConfig, readRecords, user } from './support.ts'

const refusal = (client: string): AuditEvent => ({
  event: 'request.refused',
  outcome: 'refused',
  client,
})

t.test(
  'the first of an address are written, the others counted until the minute is over',
  async (t) => {
    const strangers = createStrangers({ perAddress: 2, perMinute: 100, addresses: 10 })
    const admitted = Array.from({ length: 7 }, () => strangers.admit(refusal('a'), 1000))
    t.equal(admitted.filter(Boolean).length, 2)
    t.same(strangers.takeCounts(59_000), [])
    t.match(strangers.takeCounts(60_000), [{ client: 'a', count: 5, reason: 'repeated' }])
    t.same(strangers.takeCounts(60_001), [])
    t.ok(strangers.admit(refusal('a'), 61_000))
  },
)

t.test('many addresses stay within the quota, and what is over it is still counted', async (t) => {
  const strangers = createStrangers({ perAddress: 2, perMinute: 5, addresses: 10 })
  let written = 0
  for (let index = 0; index < 1000; index += 1) {
    if (strangers.admit(refusal(`address-${String(index % 100)}`), 0)) written += 1
  }
  t.equal(written, 5)
  const counts = strangers.takeCounts(60_000)
  t.ok(counts.length <= 11)
  t.equal(
    counts.reduce((sum, { count = 0 }) => sum + count, 0),
    995,
  )
})

t.test('a user who is refused is never merely counted', async (t) => {
  const strangers = createStrangers({ perAddress: 0, perMinute: 0, addresses: 1 })
  t.ok(strangers.admit({ ...refusal('a'), user }, 0))
  t.ok(strangers.admit({ ...refusal('a'), event: 'fhir.refused' }, 0))
  t.notOk(strangers.admit(refusal('a'), 0))
})

t.test('whatever a stranger can cause is within the quota', async (t) => {
  const strangers = createStrangers({ perAddress: 0, perMinute: 0, addresses: 1 })
  for (const event of [
    'request.refused',
    'launch.refused',
    'launch.failed',
    'staff.refused',
  ] as const) {
    t.notOk(strangers.admit({ ...refusal('a'), event }, 0), event)
    t.ok(strangers.admit({ ...refusal('a'), event, user }, 0), `${event} of a user`)
  }
  const launch = 'launch-0123456789abcdef'
  t.ok(strangers.admit({ ...refusal('a'), event: 'launch.failed', launch }, 0), 'a launch of ours')
})

t.test('the audit writes the counts, at the latest when it closes', async (t) => {
  const config = auditConfig()
  const audit = await createAudit({ config })
  await Promise.all(Array.from({ length: 5000 }, () => audit.record(refusal('10.0.0.9'))))
  await audit.close()
  const records = await readRecords(config.audit.directory)
  t.ok(records.length < 80, String(records.length))
  const counted = records.reduce(
    (sum, { event, count = 1 }) => sum + (event === 'request.refused' ? count : 0),
    0,
  )
  t.equal(counted, 5000)
})
