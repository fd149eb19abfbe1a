import { mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import t from 'tap'
import { createAudit } from '../../src/audit/audit.ts'
import { createHousekeeping, holdFileName } from '../../src/audit/housekeeping.ts'
import { verifyAudit } from '../../src/audit/verify.ts'
import { until } from '../support/until.ts'
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

t.test('compressAfterDays says how long a file stays as it was written', async (t) => {
  for (const [compressAfterDays, plain] of [
    [1, ['2026-03-10', '2026-03-11']],
    [4, ['2026-03-07', '2026-03-08', '2026-03-09', '2026-03-10', '2026-03-11']],
    [3650, ['2026-03-05', '2026-03-06', '2026-03-07', '2026-03-08', '2026-03-09', '2026-03-10']],
  ] as const) {
    const config = auditConfig({ compressAfterDays })
    const { directory } = config.audit
    await run(config, [4, 5, 6, 7, 8, 9, 10])
    const left = names(directory).filter((name) => name.endsWith('.jsonl'))
    t.match(
      left.map((name) => name.slice(0, 10)),
      plain,
      `${String(compressAfterDays)} days`,
    )
    t.equal(names(directory).length, 7, 'and nothing is gone')
    t.match((await verifyAudit({ directory, publicKey })).logs, [{ faults: [] }])
  }
})

t.test('maxFileMegabytes says when another part of the day begins', async (t) => {
  const config = auditConfig({ maxFileMegabytes: 1 })
  const { directory } = config.audit
  const patient = Array.from({ length: 100 }, (_, index) => `p${String(index)}`)
  const audit = await createAudit({ config, now: () => began })
  for (let groups = 0; groups < 9; groups += 1) {
    const group = Array.from({ length: 100 }, () =>
      audit.record({ event: 'fhir.access', outcome: 'success', patient }),
    )
    await Promise.all(group)
  }
  await audit.close()
  const sizes = names(directory).map((name) => statSync(join(directory, name)).size)
  t.ok(sizes.length >= 2, `${String(sizes.length)} parts`)
  for (const size of sizes.slice(0, -1)) {
    // The write that fills it is still whole, and no write is larger than a megabyte.
    t.ok(size >= 1_048_576 && size <= 2 * 1_048_576 + 10_000, `${String(size)} bytes`)
  }
  t.match((await verifyAudit({ directory, publicKey })).logs, [{ records: 902, faults: [] }])
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

t.test('a clock that jumps far ahead costs a few days, and not the log', async (t) => {
  const config = auditConfig()
  const { directory } = config.audit
  await run(config, [0, 1, 2, 3, 4, 5])
  await run(config, [36_500])
  const left = names(directory).filter((name) => name.startsWith('2026'))
  t.equal(left.length, 3, 'three days a round')
  t.match((await verifyAudit({ directory, publicKey })).logs, [{ faults: [] }])
  await run(config, [6])
  const records = await readRecords(directory)
  t.equal(records.at(-1)?.time.slice(0, 10), '2026-03-07', 'it goes on when the clock is right')
  t.match((await verifyAudit({ directory, publicKey })).logs, [{ faults: [] }])
})

t.test('an instance that retention left no file goes on where its log ended', async (t) => {
  const config = auditConfig({ retentionDays: 1 })
  const { directory } = config.audit
  await run(config, [0, 0])
  const other = { ...config, instance: 'other' }
  await run(other, [5])
  t.same(names(directory), ['2026-03-06.other.jsonl'])
  const whole = async () => {
    const { logs } = await verifyAudit({ directory, publicKey, instance: 'one' })
    return logs
  }
  // A crash before the first record leaves a file without any, which is no beginning either.
  const empty = join(directory, '2026-03-06.one.jsonl')
  writeFileSync(empty, '')
  t.match(await whole(), [{ records: 0, faults: [] }])
  await run(config, [5])
  t.match(await whole(), [{ records: 3, first: 7, faults: [] }])
  // The clock was put back: a day whose file is gone does not begin anew.
  await run(other, [9])
  await run(config, [3])
  t.same(names(directory), ['2026-03-06_002.one.jsonl', '2026-03-10.other.jsonl'])
  t.match(await whole(), [{ first: 10, faults: [] }])
  const records = await readRecords(directory, 'one')
  t.match(records[0], { seq: 10, event: 'audit.opened', reason: 'files_gone' })
  t.equal(records.filter(({ event }) => event === 'audit.repaired').length, 0)
  // The next day: the file that is left has its checkpoint, and no finding comes of it.
  await run(config, [10])
  t.match(await whole(), [{ faults: [] }])
})

t.test('an empty file behind what retention removed is left without a fault', async (t) => {
  const config = auditConfig({ retentionDays: 1 })
  const { directory } = config.audit
  await run(config, [0])
  await run({ ...config, instance: 'other' }, [5])
  writeFileSync(join(directory, '2026-03-06.one.jsonl'), '')
  await run(config, [6])
  const { logs } = await verifyAudit({ directory, publicKey, instance: 'one' })
  t.match(logs, [{ records: 3, first: 4, faults: [] }])
  const records = await readRecords(directory, 'one')
  t.equal(records.filter(({ event }) => event === 'audit.repaired').length, 0)
})

/** A round of its own, with a hand in between: before each record that it writes. */
async function roundWith(directory: string, before: (count: number) => void) {
  let count = 0
  const recorded: string[] = []
  const housekeeping = createHousekeeping({
    directory,
    instance: 'other',
    retentionDays: 1,
    compressAfterDays: 1,
    current: () => 'none',
    record: async ({ event }) => {
      before((count += 1))
      recorded.push(event)
    },
    now: () => began + 20 * dayMs,
  })
  const result = await housekeeping.run().catch((error: Error) => error.message)
  return { result, recorded }
}

t.test('retention that ends half-way: a hold that is laid, and a crash', async (t) => {
  const config = auditConfig()
  const { directory } = config.audit
  await run(config, [0, 1, 2])
  const whole = names(directory).length
  const held = await roundWith(directory, (count) => {
    if (count === 1) writeFileSync(join(directory, holdFileName), '')
  })
  t.same(held.recorded, ['audit.removed', 'audit.held'])
  t.equal(names(directory).length, whole - 1, 'what was there when it was laid stays')
  rmSync(join(directory, holdFileName))
  const crashed = await roundWith(directory, () => {
    throw new Error('killed')
  })
  t.equal(crashed.result, 'killed')
  t.equal(names(directory).length, whole - 1, 'nothing goes without its record')
  const [name = ''] = names(directory)
  writeFileSync(join(directory, `${name.replace(/\.gz$/, '')}.torn`), '{"seq":1')
  await roundWith(directory, () => undefined)
  t.same(names(directory), [])
  t.notOk(readdirSync(directory).some((left) => left.endsWith('.torn')))
  t.match((await verifyAudit({ directory, publicKey })).logs, [])
})

t.test('the newest file was compressed by somebody else: it is left as it is', async (t) => {
  const config = auditConfig()
  const { directory } = config.audit
  await run(config, [0, 1])
  const [, newest = ''] = names(directory)
  const packed = gzipSync(readFileSync(join(directory, newest)))
  writeFileSync(join(directory, `${newest}.gz`), packed)
  rmSync(join(directory, newest))
  // Its own day again, and a day before it: the clock jumped back.
  await run(config, [1, 0, 2])
  t.same(readFileSync(join(directory, `${newest}.gz`)), packed)
  t.same(names(directory).slice(1), [
    `${newest}.gz`,
    newest.replace('.one', '_002.one'),
    '2026-03-03.one.jsonl',
  ])
  const { logs } = await verifyAudit({ directory, publicKey })
  t.match(logs, [{ records: 15, first: 1, faults: [] }])
})

t.test('a compression that fails leaves the file, and nothing half-made', async (t) => {
  const config = auditConfig()
  const { directory } = config.audit
  await run(config, [0])
  const [name = ''] = names(directory)
  // No file can have this name any more: what a full disk is to the end of a compression.
  mkdirSync(join(directory, `${name}.gz`, 'full'), { recursive: true })
  const faults: unknown[] = []
  const audit = await createAudit({
    config,
    now: () => began + 5 * dayMs,
    onFault: (fault) => faults.push(fault),
  })
  await until(
    () => faults.length,
    (count) => count > 0,
  )
  await audit.close()
  t.match(faults, [{ kind: 'housekeeping_failed' }])
  t.notOk(readdirSync(directory).some((left) => left.endsWith('.new')))
  t.ok(statSync(join(directory, name)).size > 0)
  rmSync(join(directory, `${name}.gz`), { recursive: true })
  await run(config, [6])
  t.ok(names(directory).includes(`${name}.gz`), 'the next round goes on')
  t.match((await verifyAudit({ directory, publicKey })).logs, [{ faults: [] }])
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
