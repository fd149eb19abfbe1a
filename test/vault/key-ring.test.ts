import { assert, property, string } from 'fast-check'
import t from 'tap'
import { Secret } from '../../src/config/secret.ts'
import { createKeyRing } from '../../src/vault/key-ring.ts'
import { newKey } from './example.ts'

const [k1, k2] = [newKey('k1'), newKey('k2')]
const ring = createKeyRing([k1])

t.test('what is sealed opens under its purpose and name, and nowhere else', async (t) => {
  assert(
    property(string({ unit: 'binary' }), string(), (text, name) => {
      const box = ring.seal('launch', name, text)
      const opened = ring.open('launch', name, box)
      const utf8 = Buffer.from(text, 'utf8').toString('utf8')
      return (
        opened.ok &&
        opened.text === utf8 &&
        !ring.open('launch', `${name}x`, box).ok &&
        !ring.open('pending', name, box).ok
      )
    }),
  )
  t.match(ring.seal('launch', 'n', 'x'), /^v1\.k1\.[A-Za-z0-9_-]+$/)
  t.not(ring.seal('launch', 'n', 'x'), ring.seal('launch', 'n', 'x'))
})

t.test('no changed character goes unnoticed', async (t) => {
  const box = ring.seal('launch', 'name', 'the text')
  for (let at = 0; at < box.length; at += 1) {
    const other = box[at] === 'A' ? 'Q' : 'A'
    t.equal(ring.open('launch', 'name', box.slice(0, at) + other + box.slice(at + 1)).ok, false)
  }
  for (let end = 0; end < box.length; end += 1) {
    t.equal(ring.open('launch', 'name', box.slice(0, end)).ok, false)
  }
})

const open = (box: string) => ring.open('launch', 'n', box)

t.test('garbage gives a fault, never a throw', async (t) => {
  t.strictSame(open(''), { ok: false, fault: 'malformed' })
  t.strictSame(open('v2.k1.AAAA'), { ok: false, fault: 'malformed' })
  t.strictSame(open('v1.k1'), { ok: false, fault: 'malformed' })
  t.strictSame(open('v1.k1.AAAA'), { ok: false, fault: 'malformed' })
  t.strictSame(open(`v1.k1.${'A'.repeat(100)}`), { ok: false, fault: 'tampered' })
  t.strictSame(open(`v1.__proto__.${'A'.repeat(100)}`), { ok: false, fault: 'unknown_key' })
  t.strictSame(open('A'.repeat(2_000_000)), { ok: false, fault: 'too_large' })
  assert(property(string({ unit: 'binary' }), (box) => !open(`v1.k1.${box}`).ok))
})

t.test(
  'the first key seals, every key opens, and the box of an old one is called stale',
  async (t) => {
    const old = ring.seal('draft', 'n', 'text')
    const rotated = createKeyRing([k2, k1])
    t.match(rotated.seal('draft', 'n', 'x'), /^v1\.k2\./)
    t.strictSame(rotated.open('draft', 'n', old), { ok: true, text: 'text', stale: true })
    t.strictSame(rotated.open('draft', 'n', rotated.seal('draft', 'n', 'x')), {
      ok: true,
      text: 'x',
      stale: false,
    })
    t.strictSame(createKeyRing([k2]).open('draft', 'n', old), { ok: false, fault: 'unknown_key' })
    t.strictSame(createKeyRing([newKey('k1')]).open('draft', 'n', old), {
      ok: false,
      fault: 'tampered',
    })
  },
)

t.test('what is too large is not sealed', async (t) => {
  t.throws(() => ring.seal('draft', 'n', 'x'.repeat(1_048_577)), { code: 'INTERNAL' })
  t.ok(ring.open('draft', 'n', ring.seal('draft', 'n', 'x'.repeat(1_048_576))).ok)
})

t.test('a ring needs keys of 32 bytes with ids of their own', async (t) => {
  t.throws(() => createKeyRing([]), TypeError)
  t.throws(() => createKeyRing([k1, newKey('k1')]), TypeError)
  t.throws(() => createKeyRing([{ id: 'k', secret: new Secret('short') }]), TypeError)
})
