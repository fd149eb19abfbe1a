import { spawnSync } from 'node:child_process'
import { closeSync, mkdtempSync, openSync, readFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import { genesis, link, readLink } from '../../src/audit/chain.ts'
import { createStandardOutputCopy } from '../../src/audit/copies/standard-output.ts'
import { createStreamCopy } from '../../src/audit/copies/stream.ts'
import type { CopyFault } from '../../src/audit/copies/stream.ts'

const line = (seq: number, length = 100): string =>
  `${link({ ...genesis, seq }, `"time":"x","event":"${'a'.repeat(length)}"`).line}\n`

async function until(condition: () => boolean): Promise<void> {
  for (let tries = 0; tries < 600 && !condition(); tries += 1) {
    await new Promise((resolve) => setTimeout(resolve, 10))
  }
}

t.test('standard output: whole lines, byte for byte as in the file', async (t) => {
  const path = join(mkdtempSync(join(tmpdir(), 'smart-bff-stdout-')), 'out')
  const descriptor = openSync(path, 'a')
  const faults: CopyFault[] = []
  const copy = createStandardOutputCopy({
    now: Date.now,
    onFault: (one) => faults.push(one),
    descriptor,
  })
  const lines = Array.from({ length: 500 }, (_, index) => line(index, index % 7 === 0 ? 9000 : 50))
  for (let from = 0; from < lines.length; from += 50)
    copy.offer(lines.slice(from, from + 50).join(''))
  await copy.close()
  closeSync(descriptor)
  t.equal(readFileSync(path, 'latin1'), lines.join(''))
  t.ok(
    lines.every((text) => readLink(text.trim()) !== undefined),
    'each verifies by itself',
  )
  t.match(copy.status(), { waiting: 0, lost: 0 })
  t.same(faults, [])
})

t.test(
  'standard output: a reader that stalls costs no memory without bound, and is told',
  async (t) => {
    const path = join(mkdtempSync(join(tmpdir(), 'smart-bff-stdout-')), 'pipe')
    spawnSync('mkfifo', [path])
    // Read and write, so that opening does not wait for a reader; nobody reads.
    const descriptor = openSync(path, 'r+')
    const faults: CopyFault[] = []
    const copy = createStandardOutputCopy({
      now: Date.now,
      onFault: (one) => faults.push(one),
      descriptor,
      mostWaiting: 200_000,
    })
    for (let index = 0; index < 1000; index += 1) copy.offer(line(index, 900))
    t.ok(copy.status().waiting <= 200_000)
    t.ok(copy.status().lost > 700)
    t.match(faults, [{ kind: 'failing', code: 'full' }])
    t.equal(faults.length, 1, 'once')
    const before = performance.now()
    const closing = copy.close()
    await closing
    t.ok(performance.now() - before < 3000, 'a stop does not wait for it')
    // What is being written ends when somebody reads.
    const reader = spawnSync('sh', ['-c', `timeout 2 cat ${path} | wc -c`])
    t.ok(Number(reader.stdout.toString()) > 0)
    closeSync(descriptor)
  },
)

t.test('standard output: a reader that is gone is told once', async (t) => {
  const faults: CopyFault[] = []
  const closed = openSync('/dev/null', 'r')
  const copy = createStandardOutputCopy({
    now: Date.now,
    onFault: (one) => faults.push(one),
    descriptor: closed,
  })
  for (let index = 0; index < 20; index += 1) copy.offer(line(index))
  await copy.close()
  closeSync(closed)
  t.match(faults, [{ kind: 'failing', code: 'EBADF' }])
  t.equal(faults.length, 1)
  t.equal(copy.status().lost, 20)
})

t.test('the stream: gathered, in order, and a fault is told, counted and over', async (t) => {
  const kept: string[] = []
  const batches: number[] = []
  let asked = 0
  let down = false
  const faults: CopyFault[] = []
  const copy = createStreamCopy({
    store: {
      addAuditBatches: async (added) => {
        asked += 1
        if (down) throw new Error('down')
        for (const { text, lines } of added) {
          kept.push(...text.split(/(?<=\n)/))
          batches.push(lines)
          t.equal(text.split('\n').length - 1, lines)
          t.ok(text.length <= 65_536 || lines === 1, `${text.length} for ${lines}`)
        }
      },
    },
    most: 10,
    now: Date.now,
    onFault: (one) => faults.push(one),
    gatherMs: 20,
  })
  for (let index = 0; index < 700; index += 1) copy.offer(line(index))
  await until(() => kept.length === 700)
  t.equal(asked, 1)
  t.ok(batches.length < 5, `${batches.length} seals`)
  t.same(
    kept,
    Array.from({ length: 700 }, (_, index) => line(index)),
  )
  kept.length = 0
  down = true
  copy.offer(line(700) + line(701))
  await until(() => faults.length === 1)
  t.match(faults, [{ kind: 'failing' }])
  t.equal(copy.status().waiting, (line(700) + line(701)).length, 'they wait')
  copy.offer(`${'x'.repeat(5_000_000)}\n`)
  t.equal(copy.status().lost, 1, 'what is too much is not kept, and counted')
  copy.offer(line(702))
  down = false
  await until(() => faults.length === 2)
  t.match(faults[1], { kind: 'recovered', lost: 1 })
  t.same(
    kept,
    [700, 701, 702].map((seq) => line(seq)),
    'in their order',
  )
  t.equal(copy.status().waiting, 0)
  // As much as is written to the file at once, and a line that is larger than a batch among others.
  const long = [line(703), line(704, 200_000), line(705), line(706, 65_536), line(707)]
  copy.offer(long.join(''))
  copy.offer(line(708, 700_000))
  await copy.close()
  t.same(kept.slice(3), [...long, line(708, 700_000)], 'the last are sent at the close')
})
