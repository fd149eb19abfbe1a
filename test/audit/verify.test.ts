import { generateKeyPairSync } from 'node:crypto'
import { appendFileSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { gzipSync } from 'node:zlib'
import { join } from 'node:path'
import t from 'tap'
import { createAudit } from '../../src/audit/audit.ts'
import { genesis, link } from '../../src/audit/chain.ts'
import { verifyAudit } from '../../src/audit/verify.ts'
import { runAuditVerify } from '../../src/cli/audit-verify.ts'
import { timeVerification, writeLargeLog } from './large-log.ts'
import { auditConfig, publicKey, signing, signingKeyOf } from './support.ts'

/** Two days, ten records, closed. */
async function writtenLog() {
  const config = auditConfig()
  let now = Date.parse('2026-03-01T12:00:00.000Z')
  const audit = await createAudit({ config, now: () => now })
  for (let count = 0; count < 8; count += 1) {
    if (count === 4) now += 86_400_000
    await audit.record({ event: 'fhir.access', outcome: 'success', patient: `p${String(count)}` })
  }
  await audit.close()
  const { directory } = config.audit
  const path = (day: number) => join(directory, `2026-03-0${String(day)}.one.jsonl`)
  const lines = (day: number) => readFileSync(path(day), 'utf8').split('\n').slice(0, -1)
  const put = (day: number, changed: readonly string[]) => {
    writeFileSync(path(day), changed.map((line) => `${line}\n`).join(''))
  }
  const faults = async (keptNotes?: string) => {
    const { logs } = await verifyAudit({ directory, publicKey, keptNotes })
    return (logs[0]?.faults ?? []).map(({ kind, seq, line, file }) => ({ kind, seq, line, file }))
  }
  return { config, directory, path, lines, put, faults }
}

t.test('a whole log is whole, closed and sealed to its end', async (t) => {
  const { directory } = await writtenLog()
  const { files, logs } = await verifyAudit({ directory, publicKey })
  t.equal(files, 2)
  t.match(logs, [
    { instance: 'one', records: 10, first: 1, head: { seq: 10 }, sealed: 10, faults: [] },
  ])
})

t.test('a changed record', async (t) => {
  const { lines, put, faults } = await writtenLog()
  const changed = lines(1)
  changed[2] = (changed[2] ?? '').replace('"success"', '"refused"')
  put(1, changed)
  t.match(await faults(), [{ kind: 'changed', seq: 3, line: 3, file: '2026-03-01.one.jsonl' }])
})

t.test('a removed record, in a file and at its end', async (t) => {
  const inside = await writtenLog()
  inside.put(1, inside.lines(1).toSpliced(2, 1))
  t.match((await inside.faults())[0], { kind: 'missing', seq: 4, line: 3 })
  const atEnd = await writtenLog()
  atEnd.put(1, atEnd.lines(1).slice(0, -1))
  t.match(await atEnd.faults(), [
    { kind: 'truncated', seq: 5, line: 4, file: '2026-03-01.one.jsonl' },
    { kind: 'missing', seq: 6, line: 1, file: '2026-03-02.one.jsonl' },
  ])
})

t.test('an inserted, a repeated and a moved record', async (t) => {
  const inserted = await writtenLog()
  const forged = link({ seq: 2, hash: genesis.hash }, '"time":"2026-03-01T12:00:00.000Z"').line
  inserted.put(1, inserted.lines(1).toSpliced(2, 0, forged))
  t.match((await inserted.faults())[0], { kind: 'not_linked', seq: 3, line: 3 })
  const repeated = await writtenLog()
  repeated.put(1, repeated.lines(1).toSpliced(2, 0, repeated.lines(1)[0] ?? ''))
  t.match((await repeated.faults())[0], { kind: 'out_of_order', seq: 1, line: 3 })
  const moved = await writtenLog()
  const [a = '', b = '', c = '', ...rest] = moved.lines(1)
  moved.put(1, [a, c, b, ...rest])
  t.match((await moved.faults())[0], { kind: 'missing', seq: 3, line: 2 })
})

t.test('a log written anew from a record on differs from its checkpoints', async (t) => {
  const { lines, put, faults } = await writtenLog()
  const old = lines(1)
  let head = genesis
  const forged = old.map((line, index) => {
    const members = line.slice(line.indexOf(',') + 1, line.indexOf(',"prev"'))
    const next = link(head, index === 3 ? members.replace('success', 'refused') : members)
    head = next.head
    return next.line
  })
  put(1, forged)
  t.match(await faults(), [
    { kind: 'checkpoint_differs', seq: 5, line: 5 },
    { kind: 'not_linked', seq: 6, line: 1 },
  ])
})

t.test('a line that is no record, and a line torn inside the log', async (t) => {
  const { lines, put, faults, path } = await writtenLog()
  put(1, lines(1).toSpliced(1, 1, '{"seq":2}'))
  t.match((await faults())[0], { kind: 'unreadable', seq: 2, line: 2 })
  put(1, lines(1))
  const torn = await writtenLog()
  appendFileSync(torn.path(1), '{"seq":6,')
  t.match((await torn.faults())[0], { kind: 'torn', seq: 6, line: 6 })
  t.ok(path(1))
})

t.test('the newest file may be unfinished; a missing file may not be missing', async (t) => {
  const open = await writtenLog()
  appendFileSync(open.path(2), '{"seq":11,')
  const { logs } = await verifyAudit({ directory: open.directory, publicKey })
  t.match(logs[0], { unfinished: true, faults: [] })
  const cut = await writtenLog()
  rmSync(cut.path(2))
  t.match(await cut.faults(), [{ kind: 'truncated', seq: 6 }], 'its checkpoints are still there')
  const notes = join(cut.directory, '2026-03-02.one.checkpoints')
  const note = readFileSync(notes, 'utf8')
  rmSync(notes)
  t.same(await cut.faults(), [], 'cut together with them nothing beside it shows it')
  t.match(await cut.faults(note), [{ kind: 'truncated', seq: 6 }], 'but a note kept elsewhere does')
})

t.test('files cut together with their checkpoints show by a note kept elsewhere', async (t) => {
  const { lines, put, faults, directory } = await writtenLog()
  const notes = join(directory, '2026-03-02.one.checkpoints')
  const kept = readFileSync(notes, 'utf8')
  put(2, lines(2).slice(0, 2))
  rmSync(notes)
  t.same(await faults(), [])
  t.match(await faults(kept), [{ kind: 'truncated', seq: 8, line: 2 }])
})

t.test('removed older files: the log begins where their checkpoint says', async (t) => {
  const { directory, path, faults, put, lines } = await writtenLog()
  rmSync(path(1))
  const { logs } = await verifyAudit({ directory, publicKey })
  t.match(logs[0], { first: 6, records: 5, faults: [] })
  put(2, lines(2).slice(1))
  t.match(await faults(), [{ kind: 'missing', seq: 7 }], 'a gap behind the removed file shows')
  rmSync(join(directory, '2026-03-01.one.checkpoints'))
  const { logs: part } = await verifyAudit({ directory, publicKey })
  t.match(part[0], { first: 7, records: 4 }, 'of a part of the log it is said where it begins')
  t.strictSame(part[0]?.faults, [])
})

t.test('an instance whose files are all gone', async (t) => {
  const { directory, path } = await writtenLog()
  const notes = [1, 2].map((day) => path(day).replace('.jsonl', '.checkpoints'))
  const kept = notes.map((name) => readFileSync(name, 'utf8')).join('\n')
  for (const day of [1, 2]) rmSync(path(day))
  const verified = async () => (await verifyAudit({ directory, publicKey, keptNotes: kept })).logs
  t.strictSame((await verified())[0]?.faults, [], 'retention left the last checkpoint')
  rmSync(notes[1] ?? '')
  t.match(await verified(), [{ instance: 'one', faults: [{ kind: 'truncated', seq: 6 }] }])
})

t.test('a note beside the file cannot hide one that was kept elsewhere', async (t) => {
  const { directory, lines, put, faults } = await writtenLog()
  const [first, second] = [1, 2].map((day) =>
    join(directory, `2026-03-0${String(day)}.one.checkpoints`),
  )
  const kept = readFileSync(second ?? '', 'utf8')
  rmSync(second ?? '')
  // The second day is written anew, and a note over its new end stands where it is read first.
  let head = { seq: 5, hash: /"hash":"([0-9a-f]{64})/.exec(lines(1).at(-1) ?? '')?.[1] ?? '' }
  const forged = lines(2).map((line) => {
    const members = line.slice(line.indexOf(',') + 1, line.indexOf(',"prev"'))
    const next = link(head, members.replace('success', 'refused'))
    head = next.head
    return next.line
  })
  put(2, forged)
  const signature = kept.slice(kept.lastIndexOf(' '))
  writeFileSync(
    second ?? '',
    `smart-bff/audit/one\n10\n${head.hash}\n\n\u2014 smart-bff/audit/one${signature}`,
  )
  t.match(await faults(), [{ kind: 'checkpoint_broken' }], 'a note that nobody signed')
  writeFileSync(second ?? '', readFileSync(first ?? '', 'utf8'))
  t.strictSame(await faults(), [], 'an older note says nothing of the second day')
  t.match(await faults(kept), [{ kind: 'checkpoint_differs', seq: 10 }])
})

t.test('a note that a crash cut is no forged one', async (t) => {
  const { directory, faults } = await writtenLog()
  const notes = join(directory, '2026-03-02.one.checkpoints')
  const text = readFileSync(notes, 'utf8')
  const whole = text.trim()
  for (let length = 1; length < whole.length; length += 7) {
    writeFileSync(notes, `${whole.slice(0, length)}\n\n${whole}\n`)
    t.strictSame(await faults(), [], `cut after ${String(length)} characters`)
  }
  writeFileSync(notes, `John Smith\n\n${whole}\n`)
  t.match(await faults(), [{ kind: 'checkpoint_broken' }])
})

t.test('a key that signed before stays good for the files of its time', async (t) => {
  const { directory, config } = await writtenLog()
  const pair = generateKeyPairSync('ed25519')
  const pem = pair.privateKey.export({ type: 'pkcs8', format: 'pem' })
  const keys = { ...config.keys, signing: signingKeyOf(pem) }
  await (
    await createAudit({
      config: { ...config, keys },
      now: () => Date.parse('2026-03-03T12:00:00.000Z'),
    })
  ).close()
  const both = [publicKey, pair.publicKey]
  const { logs } = await verifyAudit({ directory, publicKey: both })
  t.match(logs[0], { records: 12, sealed: 12 })
  t.strictSame(logs[0]?.faults, [])
  const spki = both.map((key) => key.export({ type: 'spki', format: 'pem' }))
  const output = { write: () => undefined }
  t.equal(await runAuditVerify({ directory, key: spki.join('') }, output), 0)
  t.equal(await runAuditVerify({ directory, key: spki[0] ?? '' }, output), 1)
})

t.test('a checkpoint of another key, and one that was changed', async (t) => {
  const { directory, faults } = await writtenLog()
  const notes = join(directory, '2026-03-02.one.checkpoints')
  const text = readFileSync(notes, 'utf8')
  writeFileSync(notes, text.replace(/one\n10\n/, 'one\n9\n'))
  t.match((await faults())[0], { kind: 'checkpoint_broken', line: 0 })
  writeFileSync(notes, text)
  const stranger = generateKeyPairSync('ed25519').publicKey
  const { logs } = await verifyAudit({ directory, publicKey: stranger })
  t.match(logs[0]?.faults[0], { kind: 'checkpoint_broken' })
})

t.test('whichever byte is changed, it shows', async (t) => {
  const { directory, path } = await writtenLog()
  const notes = join(directory, '2026-03-02.one.checkpoints')
  const unseen: string[] = []
  for (const file of [path(1), path(2), notes]) {
    const whole = readFileSync(file)
    const line = whole.indexOf('\n')
    // Every member of a record and its end; of a note all but the empty lines around it.
    const positions = [...whole.keys()].filter((at) =>
      file === notes
        ? at % 2 === 0 && at > 1 && at < whole.length - 1
        : (at < line && at % 5 === 0) || at === line || at === whole.length - 1,
    )
    for (const at of positions) {
      const changed = Buffer.from(whole)
      changed[at] = (changed[at] ?? 0) ^ 1
      writeFileSync(file, changed)
      const [log] = (await verifyAudit({ directory, publicKey })).logs
      // A note may look as if a crash had cut it: then it proves nothing, and the report says so.
      const shows = (log?.faults.length ?? 1) > 0 || (log?.sealed ?? 0) < 10
      if (!shows) unseen.push(`${file.slice(-24)} at ${String(at)}`)
    }
    writeFileSync(file, whole)
  }
  t.same(unseen, [])
})

t.test('files that changed places, and a file under the name of another instance', async (t) => {
  const swapped = await writtenLog()
  const [first, second] = [swapped.lines(1), swapped.lines(2)]
  swapped.put(1, second)
  swapped.put(2, first)
  t.match((await swapped.faults())[0], { kind: 'out_of_order', seq: 1 })
  const renamed = await writtenLog()
  for (const day of [1, 2]) {
    const notes = renamed.path(day).replace('.jsonl', '.checkpoints')
    renameSync(renamed.path(day), renamed.path(day).replace('one', 'two'))
    renameSync(notes, notes.replace('one', 'two'))
  }
  const { logs } = await verifyAudit({ directory: renamed.directory, publicKey })
  t.match(logs, [{ instance: 'two', faults: [{ kind: 'foreign', seq: 1 }] }])
})

t.test('compressed files verify alike', async (t) => {
  const { path, faults, lines } = await writtenLog()
  const text = `${lines(1).join('\n')}\n`
  writeFileSync(`${path(1)}.gz`, gzipSync(text))
  rmSync(path(1))
  t.same(await faults(), [])
  writeFileSync(`${path(1)}.gz`, gzipSync(text.replace('success', 'refused')))
  t.match((await faults())[0], { kind: 'changed', seq: 1, file: '2026-03-01.one.jsonl.gz' })
})

t.test('a compressed file that was cut or changed is named where it ends', async (t) => {
  const { path, faults, lines, directory } = await writtenLog()
  const packed = gzipSync(`${lines(1).join('\n')}\n`)
  rmSync(path(1))
  for (const broken of [packed.subarray(0, -20), packed.subarray(0, 60), Buffer.from('no gzip')]) {
    writeFileSync(`${path(1)}.gz`, broken)
    const named = await faults()
    const file = '2026-03-01.one.jsonl.gz'
    t.ok(named.some((fault) => fault.kind === 'damaged' && fault.file === file))
    t.match(named.at(-1)?.kind, /damaged|missing|truncated/)
  }
  let text = ''
  const output = { write: (more: string) => (text += more) }
  t.equal(await runAuditVerify({ directory, key: signing.reveal() }, output), 1)
  t.match(text, 'the compressed file is damaged and cannot be read from here on')
})

t.test('the command names the first broken record and answers 1', async (t) => {
  const { directory, lines, put } = await writtenLog()
  let text = ''
  const output = { write: (more: string) => (text += more) }
  const key = signing.reveal()
  t.equal(await runAuditVerify({ directory, key }, output), 0)
  t.match(text, /^one: whole, records 1 to 10, all under a checkpoint, head [0-9a-f]{64}\n$/)
  put(1, lines(1).toSpliced(2, 1))
  text = ''
  t.equal(await runAuditVerify({ directory, key }, output), 1)
  t.match(
    text,
    'one: BROKEN at record 4 (2026-03-01.one.jsonl line 3): records before this one are missing',
  )
  const empty = auditConfig().audit.directory
  t.equal(await runAuditVerify({ directory: empty, key }, output), 1)
})

t.test('a large log verifies at the pace of a million records in ten seconds', async (t) => {
  const size = 100_000
  const { cpu } = await timeVerification(t, await writeLargeLog(t, size), size)
  t.ok(cpu < (10 * size) / 1_000_000, `${cpu.toFixed(2)} s`)
})
