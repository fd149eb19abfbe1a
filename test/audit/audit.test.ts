import { appendFileSync, readFileSync, readdirSync, truncateSync, statSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { createAudit } from '../../src/audit/audit.ts'
import { genesis, readLink } from '../../src/audit/chain.ts'
import { readNote, splitNotes } from '../../src/audit/checkpoints.ts'
import type { AuditEvent } from '../../src/audit/event.ts'
import { auditConfig, publicKey, readRecords } from './support.ts'

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
  interaction: 'read',
  resource: 'Patient',
  status: 200,
  ms: 12.4,
}

t.test(
  'records are in the file when record() resolves, chained, and closed by a checkpoint',
  async (t) => {
    const config = auditConfig()
    const audit = await createAudit({ config })
    await audit.record(access)
    const directory = config.audit.directory
    t.equal((await readRecords(directory)).at(-1)?.event, 'fhir.access')
    await Promise.all(Array.from({ length: 500 }, () => audit.record(access)))
    await audit.close()
    const records = await readRecords(directory)
    t.equal(records.length, 503)
    t.same(
      records.map((record) => record.seq),
      Array.from({ length: 503 }, (_, index) => index + 1),
    )
    let prev = genesis.hash
    for (const record of records) {
      t.equal(record.prev, prev)
      prev = record.hash
    }
    const name = readdirSync(directory).find((file) => file.endsWith('.checkpoints')) ?? ''
    const notes = splitNotes(readFileSync(join(directory, name), 'utf8'))
    const note = readNote(notes.at(-1) ?? '', publicKey)
    t.match(note, { kind: 'checkpoint', checkpoint: { head: { seq: 503, hash: prev } } })
    await t.rejects(audit.record(access), { code: 'AUDIT_UNAVAILABLE' })
  },
)

t.test('the next start goes on with the chain and says how the last one ended', async (t) => {
  const config = auditConfig()
  await (await createAudit({ config })).close()
  await (await createAudit({ config })).close()
  const records = await readRecords(config.audit.directory)
  t.same(
    records.map((record) => [record.event, record.reason]),
    [
      ['audit.opened', 'first_start'],
      ['audit.closed', undefined],
      ['audit.opened', 'closed'],
      ['audit.closed', undefined],
    ],
  )
  t.equal(records[2]?.prev, records[1]?.hash)
})

t.test('a torn last line is set aside and recorded', async (t) => {
  const config = auditConfig()
  await (await createAudit({ config })).close()
  const { directory } = config.audit
  const name = readdirSync(directory).find((file) => file.endsWith('.jsonl')) ?? ''
  appendFileSync(join(directory, name), '{"seq":3,"time":"20')
  const faults: unknown[] = []
  await (await createAudit({ config, onFault: (fault) => faults.push(fault) })).close()
  t.equal(readFileSync(join(directory, `${name}.torn`), 'utf8'), '{"seq":3,"time":"20\n')
  const records = await readRecords(directory)
  t.match(records[3], {
    event: 'audit.repaired',
    reason: 'torn_line',
    bytes: 19,
    outcome: 'failed',
  })
  t.match(faults, [{ kind: 'repaired', code: 'torn_line' }])
})

t.test('records that a checkpoint counted and the file lost are found at the start', async (t) => {
  const config = auditConfig()
  const audit = await createAudit({ config })
  for (let count = 0; count < 5; count += 1) await audit.record(access)
  await audit.close()
  const { directory } = config.audit
  const name = readdirSync(directory).find((file) => file.endsWith('.jsonl')) ?? ''
  const lines = readFileSync(join(directory, name), 'utf8').split('\n')
  truncateSync(join(directory, name), lines.slice(0, 4).join('\n').length + 1)
  await (await createAudit({ config })).close()
  const records = await readRecords(directory)
  t.match(records[5], { event: 'audit.repaired', reason: 'records_missing', count: 3 })
})

t.test('a last line that is no record starts another file', async (t) => {
  const config = auditConfig()
  await (await createAudit({ config })).close()
  const { directory } = config.audit
  const name = readdirSync(directory).find((file) => file.endsWith('.jsonl')) ?? ''
  appendFileSync(join(directory, name), 'John Smith was here\n')
  const audit = await createAudit({ config })
  await audit.record(access)
  await audit.close()
  const second = readdirSync(directory).find((file) => file.endsWith('_002.one.jsonl')) ?? ''
  const lines = readFileSync(join(directory, second), 'utf8').split('\n').filter(Boolean)
  t.equal(lines.length, 4)
  t.match(readLink(lines[0] ?? ''), { seq: 1, prev: genesis.hash })
  t.match(lines[1], /chain_unreadable/)
})

t.test('a new UTC day begins a new file that links to the one before', async (t) => {
  const config = auditConfig()
  let now = Date.parse('2026-03-01T23:59:59.000Z')
  const audit = await createAudit({ config, now: () => now })
  const before = audit.record(access)
  now += 2000
  const after = audit.record(access)
  await Promise.all([before, after])
  now -= 5000
  await audit.record(access)
  await audit.close()
  const names = readdirSync(config.audit.directory).toSorted()
  t.same(names, [
    '2026-03-01.one.checkpoints',
    '2026-03-01.one.jsonl',
    '2026-03-02.one.checkpoints',
    '2026-03-02.one.jsonl',
    'one.lock',
  ])
  const records = await readRecords(config.audit.directory)
  t.same(
    records.map((record) => record.time.slice(0, 10)),
    ['2026-03-01', '2026-03-01', '2026-03-02', '2026-03-01', '2026-03-01'],
    'after a clock that jumped back the newest file goes on',
  )
  t.equal(records[2]?.prev, records[1]?.hash)
})

t.test('one instance is written by one process', async (t) => {
  const config = auditConfig()
  const audit = await createAudit({ config })
  await t.rejects(createAudit({ config }), { code: 'AUDIT_UNAVAILABLE' })
  await audit.close()
  await (await createAudit({ config })).close()
})

t.test('a directory that cannot be written stops the start', async (t) => {
  const config = auditConfig()
  const file = join(config.audit.directory, 'file')
  appendFileSync(file, '')
  t.ok(statSync(file).isFile())
  const audit = { ...config.audit, directory: file }
  await t.rejects(createAudit({ config: { ...config, audit } }), { code: 'AUDIT_UNAVAILABLE' })
})

t.test('durability fsync writes the same', async (t) => {
  const config = auditConfig({ durability: 'fsync' })
  const audit = await createAudit({ config })
  await Promise.all(Array.from({ length: 50 }, () => audit.record(access)))
  await audit.close()
  t.equal((await readRecords(config.audit.directory)).length, 52)
})
