import { readdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { createAudit } from '../../src/audit/audit.ts'
import { holdFileName } from '../../src/audit/housekeeping.ts'
import { verifyAudit } from '../../src/audit/verify.ts'
import { auditConfig, publicKey, readRecords } from './support.ts'

const dayMs = 86_400_000
const began = Date.parse('2026-03-01T12:00:00.000Z')

/** One start and stop a day, three records each. */
async function run(config: ReturnType<typeof auditConfig>, days: readonly number[]): Promise<void> {
  for (const day of days) {
    const audit = await createAudit({ config, now: () => began + day * dayMs })
    await audit.record({ event: 'fhir.access', outcome: 'success' })
    await audit.close()
  }
}

const names = (directory: string): string[] =>
  readdirSync(directory).filter((name) => name.endsWith('.jsonl') || name.endsWith('.gz'))

t.test('files of some days ago are compressed, with a record, and verify', async (t) => {
  const config = auditConfig()
  const { directory } = config.audit
  await run(config, [0, 1, 5, 5])
  t.same(names(directory), [
    '2026-03-01.one.jsonl.gz',
    '2026-03-02.one.jsonl.gz',
    '2026-03-06.one.jsonl',
  ])
  t.match((await verifyAudit({ directory, publicKey })).logs, [{ first: 1, faults: [] }])
  const text = JSON.stringify(await readRecords(directory))
  t.match(text, '"audit.compressed"')
  t.match(text, 'file=2026-03-02.one.jsonl')
})

t.test(
  'past their retention they go, each with a record before; the log begins where they ended',
  async (t) => {
    const config = auditConfig({ retentionDays: 10 })
    const { directory } = config.audit
    await run(config, [0, 1, 12, 12])
    t.same(names(directory), ['2026-03-13.one.jsonl'])
    t.ok(readdirSync(directory).includes('2026-03-02.one.checkpoints'))
    const { logs } = await verifyAudit({ directory, publicKey })
    t.match(logs, [{ faults: [] }])
    t.ok((logs[0]?.first ?? 0) > 1)
    const removed = (await readRecords(directory)).filter(({ event }) => event === 'audit.removed')
    t.same(
      removed.map(({ parameters }) => parameters?.[0]),
      ['file=2026-03-01.one.jsonl', 'file=2026-03-02.one.jsonl'],
    )
  },
)

t.test('under a legal hold nothing goes, and that is recorded', async (t) => {
  const config = auditConfig({ retentionDays: 10 })
  const { directory } = config.audit
  writeFileSync(join(directory, holdFileName), 'Case 4711\n')
  await run(config, [0, 12])
  t.equal(names(directory).length, 2)
  const records = await readRecords(directory)
  t.match(
    records.find(({ event }) => event === 'audit.held'),
    { count: 1, reason: 'legal_hold' },
  )
  rmSync(join(directory, holdFileName))
  await run(config, [13])
  t.same(names(directory), ['2026-03-13.one.jsonl', '2026-03-14.one.jsonl'])
})

t.test('a file that is full is followed by another part of the day', async (t) => {
  const config = auditConfig()
  const { directory } = config.audit
  const audit = await createAudit({ config, maxFileBytes: 2000, now: () => began })
  for (let count = 0; count < 30; count += 1) {
    await audit.record({ event: 'fhir.access', outcome: 'success', count })
  }
  await audit.close()
  const files = names(directory)
  t.ok(files.length > 3)
  t.equal(files[0], '2026-03-01.one.jsonl')
  t.equal(files[1], '2026-03-01_002.one.jsonl')
  t.match((await verifyAudit({ directory, publicKey })).logs, [{ records: 32, faults: [] }])
})

t.test('checkpoints go to a second place, whose failure is an alarm and no refusal', async (t) => {
  const config = auditConfig()
  const notes: string[] = []
  const faults: unknown[] = []
  const audit = await createAudit({
    config,
    onFault: (fault) => faults.push(fault),
    onCheckpoint: (_checkpoint, note) => {
      notes.push(note)
      throw new Error('the other disk is full')
    },
  })
  await audit.record({ event: 'fhir.access', outcome: 'success' })
  await audit.close()
  t.equal(notes.length, 1)
  t.match(faults, [{ kind: 'checkpoint_failed' }])
  const { directory } = config.audit
  const { logs } = await verifyAudit({ directory, publicKey, keptNotes: notes.join('\n') })
  t.match(logs, [{ sealed: 3, faults: [] }])
})
