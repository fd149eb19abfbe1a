import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import t from 'tap'
import { genesis, link } from '../../src/audit/chain.ts'
import { readLines } from '../../src/audit/read-lines.ts'
import { verifyAudit } from '../../src/audit/verify.ts'
import { auditConfig, publicKey } from './support.ts'

const megabyte = 1_048_576
const members = '"time":"2026-03-01T10:00:00.000Z","event":"fhir.access","instance":"one"'

t.test('a line that does not end is not held, and what follows it is read', async (t) => {
  const { directory } = auditConfig().audit
  const first = link(genesis, members)
  const second = link(first.head, members)
  const plain = join(directory, '2026-03-01.one.jsonl')
  const text = `${first.line}\n${' '.repeat(40 * megabyte)}\n${second.line}\n`
  for (const [path, bytes] of [
    [plain, Buffer.from(text)],
    [`${plain}.gz`, gzipSync(text)],
  ] as const) {
    writeFileSync(path, bytes)
    const lines: string[] = []
    let read = 0
    for await (const { lines: some, omitted = 0, ended } of readLines(path)) {
      t.equal(ended, true)
      lines.push(...some)
      read += some.reduce((sum, line) => sum + line.length + 1, omitted)
    }
    t.equal(lines.length, 3)
    t.ok((lines[1] ?? '').length < 3 * megabyte, 'of the middle one little is kept')
    t.strictSame([lines[0], lines[2]], [first.line, second.line])
    t.equal(read, text.length, 'whoever counts bytes still can')
    const { logs } = await verifyAudit({ directory, publicKey })
    t.match(logs, [{ records: 2, faults: [{ kind: 'unreadable', line: 2 }] }])
  }
})

t.test('the beginning of a line that does not end is no record', async (t) => {
  const { directory } = auditConfig().audit
  const { line } = link(genesis, members)
  writeFileSync(join(directory, '2026-03-01.one.jsonl'), `${line}${' '.repeat(3 * megabyte)}\n`)
  const { logs } = await verifyAudit({ directory, publicKey })
  t.match(logs, [{ records: 0, faults: [{ kind: 'unreadable' }] }])
})
