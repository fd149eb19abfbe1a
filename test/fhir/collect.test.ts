import t from 'tap'
import { createCollector } from '../../src/fhir/collect.ts'
import type { Collector } from '../../src/fhir/collect.ts'

/** What was held, and the memory that was lent. */
function collecting(maxBodyBytes: number, room = Infinity) {
  const seen = { held: 0, lent: 0 }
  const listener = { gone: false, whenGone: undefined, held: 0 }
  const collector = createCollector(listener, {
    maxBodyBytes,
    hold: (_, bytes) => {
      if (seen.held + bytes > room) return false
      seen.held += bytes
      return true
    },
    lend: (_, bytes) => {
      seen.lent += bytes
      return Buffer.alloc(bytes)
    },
  })
  return { collector, seen }
}

/** As undici does: each piece in the same memory. */
function addAll(collector: Collector, pieces: readonly string[]): void {
  const memory = Buffer.alloc(100_000)
  for (const piece of pieces) {
    const length = memory.write(piece)
    t.equal(collector.add(memory.subarray(0, length)), undefined)
    memory.fill(0)
  }
}

const pieces = ['a'.repeat(5000), 'b'.repeat(7000), 'c']
const whole = pieces.join('')

t.test('a body is what came, announced or not, whatever becomes of the memory it came in', (t) => {
  for (const announced of [undefined, String(whole.length), 'x', '1e9', ['12001', '12001'], '-1']) {
    const { collector, seen } = collecting(100_000)
    t.equal(collector.begin(announced), undefined)
    addAll(collector, pieces)
    t.equal(collector.body().toString(), whole)
    t.same(seen, { held: whole.length, lent: whole.length }, 'held once, lent once')
  }
  t.end()
})

t.test('an empty one, and one that ends early', (t) => {
  for (const announced of [undefined, '0']) {
    const { collector } = collecting(100)
    t.equal(collector.begin(announced), undefined)
    t.equal(collector.body().length, 0)
  }
  const { collector } = collecting(100)
  collector.begin('50')
  addAll(collector, ['short'])
  t.equal(collector.body().toString(), 'short', 'nothing of what its memory held before')
  t.end()
})

t.test('too much: announced, or as it comes, or more than was announced', (t) => {
  t.equal(collecting(100).collector.begin('101'), 'too_large')
  const { collector } = collecting(100)
  t.equal(collector.begin(undefined), undefined)
  t.equal(collector.add(Buffer.alloc(60)), undefined)
  t.equal(collector.add(Buffer.alloc(60)), 'too_large')
  const liar = collecting(100).collector
  t.equal(liar.begin('10'), undefined)
  t.equal(liar.add(Buffer.alloc(11)), 'unreachable')
  t.end()
})

t.test('no room: for what is announced, or for what comes', (t) => {
  t.equal(collecting(100, 50).collector.begin('51'), 'memory')
  const { collector, seen } = collecting(100, 50)
  t.equal(collector.add(Buffer.alloc(30)), undefined)
  t.equal(collector.add(Buffer.alloc(30)), 'memory')
  t.equal(seen.held, 30)
  t.end()
})
