import { spawnSync } from 'node:child_process'
import { readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { createAudit } from '../../src/audit/audit.ts'
import type { AuditFault } from '../../src/audit/audit.ts'
import { collectKeptNotes, readKeptNotes } from '../../src/audit/copies/kept-notes.ts'
import { createPlace } from '../../src/audit/copies/place.ts'
import { createSecondPlaces } from '../../src/audit/copies/second-places.ts'
import type { LoggedCheckpoint } from '../../src/audit/copies/second-places.ts'
import { verifyAudit } from '../../src/audit/verify.ts'
import { runAuditVerify } from '../../src/cli/audit-verify.ts'
import { Secret } from '../../src/config/secret.ts'
import { createRedisStore } from '../../src/store/redis.ts'
import { startRedis } from '../support/redis.ts'
import { auditConfig, publicKey } from './support.ts'

/** Each second place shows a log that was cut together with the checkpoints beside it. */
t.test('a file, the store and the log each hold what proves a cut', async (t) => {
  const redis = await startRedis()
  const store = createRedisStore({ config: { url: new Secret(redis.url) }, now: Date.now })
  t.teardown(async () => {
    await store.close()
    await redis.stop()
  })
  const elsewhere = join(auditConfig().audit.directory, 'deep', 'kept')
  const checkpoints = { path: elsewhere, store: true, log: true }
  const config = auditConfig({ checkpoints })
  const { directory } = config.audit
  const logged: LoggedCheckpoint[] = []
  const places = createSecondPlaces({
    checkpoints,
    instance: config.instance,
    store,
    log: (line) => logged.push(line),
  })
  const audit = await createAudit({ config, onCheckpoint: places.publish })
  for (let count = 0; count < 5; count += 1) {
    await audit.record({ event: 'fhir.access', outcome: 'success', count })
  }
  await audit.close()

  const whole = await collectKeptNotes(checkpoints, store)
  t.strictSame(whole.unread, [])
  const verified = async (keptNotes?: string) =>
    (await verifyAudit({ directory, publicKey, keptNotes })).logs[0]
  t.match(await verified(whole.notes), { sealed: 7, records: 7 })
  t.strictSame((await verified(whole.notes))?.faults, [])

  const [name = ''] = readdirSync(directory).filter((file) => file.endsWith('.jsonl'))
  const lines = readFileSync(join(directory, name), 'utf8').split('\n')
  writeFileSync(join(directory, name), `${lines.slice(0, 4).join('\n')}\n`)
  for (const file of readdirSync(directory)) {
    if (file.endsWith('.checkpoints')) rmSync(join(directory, file))
  }
  t.strictSame((await verified())?.faults, [], 'what stands beside the log does not show it')
  const none = { path: undefined, store: false, log: false }
  for (const place of [
    { ...none, path: elsewhere },
    { ...none, store: true },
  ]) {
    const { notes } = await collectKeptNotes(place, store)
    t.match((await verified(notes))?.faults, [{ kind: 'truncated', seq: 5 }])
  }
  const log = logged.map((line) => JSON.stringify({ event: 'audit.checkpoint', ...line }))
  const collected = ['{"event":"process.started"}', 'no JSON', ...log].join('\n')
  let said = ''
  const output = { write: (text: string) => (said += text) }
  const key = publicKey.export({ type: 'spki', format: 'pem' })
  t.equal(
    await runAuditVerify({ directory, key, kept: { name: 'app.log', text: collected } }, output),
    1,
  )
  t.match(said, /BROKEN at record 5 .*: a checkpoint counts this record, and it is missing/)
})

t.test('one place that fails keeps none of the others from theirs', async (t) => {
  const config = auditConfig()
  const { directory } = config.audit
  writeFileSync(join(directory, 'taken'), '')
  const kept: string[] = []
  const faults: AuditFault[] = []
  const places = createSecondPlaces({
    checkpoints: { path: join(directory, 'taken', 'notes'), store: true, log: false },
    instance: 'one',
    store: {
      keepCheckpoint: async (_instance, note) => {
        kept.push(note)
        return true
      },
    },
    log: () => t.fail('not wanted'),
  })
  const audit = await createAudit({
    config,
    onCheckpoint: places.publish,
    onFault: (fault) => faults.push(fault),
  })
  await audit.close()
  t.equal(kept.length, 1)
  t.match(faults, [{ kind: 'checkpoint_failed', code: 'ENOTDIR' }])
})

t.test('a place that hangs holds no record, no file and no note beside it', async (t) => {
  const config = auditConfig()
  const { directory } = config.audit
  const elsewhere = join(directory, 'kept', 'notes')
  const asked: string[] = []
  const faults: AuditFault[] = []
  const places = createSecondPlaces({
    checkpoints: { path: elsewhere, store: true, log: false },
    instance: 'one',
    store: {
      keepCheckpoint: (_instance, note) => {
        asked.push(note)
        return new Promise(() => undefined)
      },
    },
    log: () => t.fail('not wanted'),
    limitMs: 300,
  })
  let now = Date.parse('2026-03-01T23:59:59.000Z')
  const audit = await createAudit({
    config,
    now: () => now,
    onCheckpoint: places.publish,
    onFault: (fault) => faults.push(fault),
  })
  for (let day = 0; day < 3; day += 1) {
    await audit.record({ event: 'fhir.access', outcome: 'success', count: day })
    now += 86_400_000
  }
  await audit.close()
  const names = readdirSync(directory)
  t.equal(names.filter((name) => name.endsWith('.jsonl')).length, 4)
  t.equal(names.filter((name) => name.endsWith('.checkpoints')).length, 4)
  t.equal(asked.length, 1, 'no second one waits beside the one that hangs')
  t.ok(faults.length > 0)
  t.ok(faults.every(({ kind, code }) => kind === 'checkpoint_failed' && code === 'ETIMEDOUT'))
  const keptNotes = readFileSync(elsewhere, 'utf8')
  const { logs } = await verifyAudit({ directory, publicKey, keptNotes })
  t.match(logs, [{ records: 5, sealed: 5, kept: 5, faults: [] }], 'the other place has them')
})

t.test('a place that is slow gets the newest of those that waited', async (t) => {
  const kept: string[] = []
  const going = Promise.withResolvers<void>()
  const keep = createPlace(
    'slow',
    async (note) => {
      await going.promise
      kept.push(note)
    },
    5000,
  )
  const notes = ['one', 'two', 'three'].map(keep)
  going.resolve()
  await Promise.all(notes)
  t.strictSame(kept, ['one', 'three'])
  await keep('four')
  t.strictSame(kept, ['one', 'three', 'four'])
})

t.test(
  'what waited behind a fault is kept: the last note of a process has none behind it',
  async (t) => {
    const kept: string[] = []
    const going = Promise.withResolvers<void>()
    const keep = createPlace(
      'full for a moment',
      async (note) => {
        await going.promise
        if (note === 'one') throw new Error('full')
        kept.push(note)
      },
      5000,
    )
    const notes = ['one', 'two'].map(keep)
    going.resolve()
    await Promise.all(notes)
    t.strictSame(kept, ['two'], 'it covers the one before it')
    await t.rejects(keep('one'), { message: 'full' })
  },
)

t.test('a log is read as each collector keeps it', async (t) => {
  const config = auditConfig()
  const { directory } = config.audit
  const notes: string[] = []
  const logged: string[] = []
  const places = createSecondPlaces({
    checkpoints: { store: false, log: true },
    instance: 'one',
    store: { keepCheckpoint: async () => true },
    log: (line) =>
      logged.push(JSON.stringify({ level: 'info', event: 'audit.checkpoint', ...line })),
  })
  const audit = await createAudit({
    config,
    onCheckpoint: async (checkpoint, note) => {
      notes.push(note)
      await places.publish(checkpoint, note)
    },
  })
  await audit.close()
  const expected = notes.join('\n')
  t.equal(notes.length, 1)
  const [line = ''] = logged
  const members = JSON.parse(line) as object
  const kept = {
    'notes with CRLF': expected.replaceAll('\n', '\r\n'),
    'the line itself': line,
    CRI: `2026-11-27T03:00:00.0Z stdout F ${line}`,
    'docker compose': `smart-bff-0  | ${line}`,
    'kubectl --prefix': `[pod/smart-bff-0/smart-bff] ${line}`,
    syslog: `Nov 27 03:00:00 host smart-bff[17]: ${line}\r\n`,
    'docker json-file': JSON.stringify({ log: `${line}\n`, stream: 'stdout', time: 'x' }),
    journald: JSON.stringify({ _PID: '17', MESSAGE: line }),
    'a pipeline that parsed it': JSON.stringify({ kubernetes: { pod: 'x' }, ...members }),
    'in an object of its own': JSON.stringify({ labels: {}, log: members }),
    'a text in a text': JSON.stringify({ message: JSON.stringify({ log: line }) }),
  }
  for (const [form, text] of Object.entries(kept)) {
    t.equal(readKeptNotes(`noise\n{"event":"process.started"}\n${text}\n{"x`), expected, form)
  }
  for (const text of [
    '',
    'hello\n',
    '{"event":"audit.checkpoint"}',
    'audit.checkpoint {{{',
    '[]',
  ]) {
    t.equal(readKeptNotes(text), '', text)
  }
  t.equal(readKeptNotes(line.replace('smart-bff/audit/one', 'John Smith')), '')
  const said = async (text: string, instance?: string) => {
    let output = ''
    const key = publicKey.export({ type: 'spki', format: 'pem' })
    const code = await runAuditVerify(
      { directory, key, kept: { name: 'app.log', text }, instance },
      { write: (more: string) => (output += more) },
    )
    return { code, output }
  }
  t.match(await said(`x ${line}`), { code: 0, output: /^one: whole, .* head [0-9a-f]{64}\n$/ })
  const nothing = /^one: whole.*\nNOT COMPARED: no checkpoint was found in app\.log\.\n$/
  t.match(await said('hello'), { code: 1, output: nothing }, 'the wrong file is no proof')
  const another = line.replace('smart-bff/audit/one', 'smart-bff/audit/two')
  t.match(await said(another, 'one'), { code: 1, output: nothing })
  t.match(await said(another), {
    code: 1,
    output: /^one: whole, .*; no checkpoint of it was kept elsewhere\ntwo: BROKEN/,
  })
})

t.test('a pipe that nobody reads is told as a place that fails, and holds nobody', async (t) => {
  const pipe = join(auditConfig().audit.directory, 'pipe')
  t.equal(spawnSync('mkfifo', [pipe]).status, 0)
  const places = createSecondPlaces({
    checkpoints: { path: pipe, store: false, log: false },
    instance: 'one',
    store: { keepCheckpoint: async () => true },
    log: () => t.fail('not wanted'),
  })
  const checkpoint = { origin: 'o', head: { seq: 1, hash: 'h' } }
  await t.rejects(places.publish(checkpoint, 'note'), { code: 'ENXIO' })
})

t.test('a place that cannot be read is named', async (t) => {
  const store = { listCheckpoints: async () => Promise.reject(new Error('down')) }
  const { notes, unread } = await collectKeptNotes(
    { path: auditConfig().audit.directory, store: true, log: true },
    store,
  )
  t.equal(notes, '')
  t.equal(unread.length, 2)
})
