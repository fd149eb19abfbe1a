import { createDecipheriv, hkdfSync, randomBytes } from 'node:crypto'
import { assert, property, string } from 'fast-check'
import t from 'tap'
import { Secret } from '../../src/config/secret.ts'
import { createKeyRing, isPacked, sealedUnder } from '../../src/vault/key-ring.ts'
import { exampleRecord, newKey } from './example.ts'

const [k1, k2] = [newKey('k1'), newKey('k2')]
const ring = createKeyRing([k1])
const newToken = (bytes: number): string => randomBytes(bytes).toString('base64url')

t.test('what is sealed opens under its purpose and name, and nowhere else', async (t) => {
  assert(
    property(string({ unit: 'binary' }), string(), (text, name) => {
      const utf8 = Buffer.from(text, 'utf8').toString('utf8')
      return [ring.seal, ring.sealPacked].every((seal) => {
        const box = seal('launch', name, text)
        const opened = ring.open('launch', name, box)
        return (
          opened.ok &&
          opened.text === utf8 &&
          !ring.open('launch', `${name}x`, box).ok &&
          !ring.open('pending', name, box).ok
        )
      })
    }),
  )
  t.match(ring.seal('launch', 'n', 'x'), /^v1\.k1\.[A-Za-z0-9_-]+$/)
  t.not(ring.seal('launch', 'n', 'x'), ring.seal('launch', 'n', 'x'))
})

t.test('no changed character goes unnoticed', async (t) => {
  for (const seal of [ring.seal, ring.sealPacked]) {
    const box = seal('launch', 'name', 'the text')
    for (let at = 0; at < box.length; at += 1) {
      const other = box[at] === 'A' ? 'Q' : 'A'
      t.equal(ring.open('launch', 'name', box.slice(0, at) + other + box.slice(at + 1)).ok, false)
    }
    for (let end = 0; end < box.length; end += 1) {
      t.equal(ring.open('launch', 'name', box.slice(0, end)).ok, false)
    }
    // A box of one form is none of the other.
    t.equal(
      ring.open('launch', 'name', (box.startsWith('v1') ? 'v2' : 'v1') + box.slice(2)).ok,
      false,
    )
  }
})

t.test('what any version has sealed opens for ever', async (t) => {
  const fixed = createKeyRing([
    { id: 'k1', secret: new Secret(Buffer.alloc(32, 7).toString('base64url')) },
  ])
  const text = JSON.stringify(exampleRecord('launch-1', 1_750_000_000_000))
  const boxes = [
    'v1.k1.twVH5xRgHpEwdvNzgPoCQvuNwov5tKdpdGtf67Jyzmp5OGnam6lmhOXxBI9GwFdz0mkTBlzcxf1LQFmYH3qxFhpWARbHC-qRojWzbJRayk8AHAhF1HZoaIt7oPu-yaVaiPGTnfFsMWqp7ec5FQ-SxxYNvf8lNu7ujOiVOWkoqsF3LQSuxi9mPWwMtLl0wHoFHCGFV387xth-E3tjH7uzWHv0uL2leJacsYFYWjpUYfUKR07MaBH_lgX9_fzu4MQi3kka6C1Xr2jkoABLaN_kviACbfopVCnSV8rE6wSDAT73X2zNa8MPiuZKScV2TLWcWgjVYCwFFgphXsl2bQWHlqW5DG0scBtlK-p5vj4niQ3xsB_klrlewW-m12VbpOYRDNBnfUoeK82gvLzrvsexoGG62iqewqXq39gCkP8VRxFmMFt4Ya4WGppoBrhbMCcKdpKGBMUAN8W1MS44CEXjHu9qzCsk9Zt5Uvg3zlIkdJrlJRkfH3TgjvajnSidTi-vNo8WizRhvh-Na5sIVkcCmNZnwJIdzvo5wgyfbxx9YL4K-4VN4apqrXo8Qf_JLb_9A9A8q_qkKkgWVAzzT8Gs3dNs4qZ5cnYfwatoexpfrVAg08ULzji5LCZ9av_36trptSYRWd6eBELY8Cx2QetzMcoOrxumSSu868Hc-ef6lngg3QJPvy0aE5oNmNLnwTcj8129eECCJYKEoEmjppUX1PL4WceIwoCYhKcYdw9Q_3ncO7MXPhniaqMFeHjcOvK2DL8zPE51uVKdoKeoHQtT',
    Buffer.from(
      'djIuazEulYgWgeoIFsAOJFsEfZVtMsKi2u9mX/WJKGPGXvjbNAlZ90ts9R50UTt8spV6fHHSL7UvyqkvXVZ4lkzxoswdTC3P2FR+sj6uLft2dfJoes2RmLI4Ls2mJI0mhMECkEzw6W/it775XwA/3sCj+8M9nWUwL1URwuDEm0Vsv3FfOrPXUQlhSkgz2DXS8IHnBxu8/26ggEHZ2G7RPt4ja9b6BZM/PUowpe3zifdv5c71',
      'base64',
    ).toString('latin1'),
  ]
  for (const box of boxes) {
    t.strictSame(fixed.open('launch', 'launch:{s}:launch-1', box), { ok: true, text, stale: false })
  }
  t.strictSame(boxes.map(isPacked), [false, true])
  t.strictSame(boxes.map(sealedUnder), ['k1', 'k1'])
  t.equal(sealedUnder('garbage'), undefined)
})

/** As the versions that know text alone read it, written out here so that no change of ours changes it. */
function openAsFirst(secret: Buffer, name: string, box: string): string {
  const [form = '', id = '', body = ''] = box.split('.')
  const bytes = Buffer.from(body, 'base64url')
  const key = Buffer.from(hkdfSync('sha256', secret, '', 'smart-bff v1 launch', 32))
  const decipher = createDecipheriv('aes-256-gcm', key, bytes.subarray(0, 12))
  decipher.setAAD(Buffer.from(`${form}.${id}.${name}`))
  decipher.setAuthTag(bytes.subarray(-16))
  return decipher.update(bytes.subarray(12, -16)).toString() + decipher.final('utf8')
}

t.test('what is sealed as text, a version that knows nothing else opens', async (t) => {
  const secret = randomBytes(32)
  const { seal } = createKeyRing([{ id: 'k1', secret: new Secret(secret.toString('base64url')) }])
  const text = JSON.stringify(exampleRecord('launch-1', 1_750_000_000_000))
  t.equal(
    openAsFirst(secret, 'launch:{s}:launch-1', seal('launch', 'launch:{s}:launch-1', text)),
    text,
  )
})

t.test('a packed box is small, and bounded in what it unpacks to', async (t) => {
  const tokens = {
    access: newToken(768),
    refresh: newToken(384),
    receivedAt: 1,
    accessExpiresAt: 2,
  }
  const text = JSON.stringify(exampleRecord(newToken(24), Date.now(), { tokens }))
  const [plain, packed] = [ring.seal('launch', 'n', text), ring.sealPacked('launch', 'n', text)]
  t.ok(packed.length < 1500 && plain.length > 2800, `${packed.length} of ${plain.length}`)
  const most = 'x'.repeat(1_048_576)
  t.match(ring.open('launch', 'n', ring.sealPacked('launch', 'n', most)), { ok: true, text: most })
  t.throws(() => ring.sealPacked('launch', 'n', `${most}x`), { code: 'INTERNAL' })
})

const open = (box: string) => ring.open('launch', 'n', box)

t.test('garbage gives a fault, never a throw', async (t) => {
  t.strictSame(open(''), { ok: false, fault: 'malformed' })
  t.strictSame(open('v2.k1.AAAA'), { ok: false, fault: 'malformed' })
  t.strictSame(open('v0.k1.AAAA'), { ok: false, fault: 'malformed' })
  t.strictSame(open('v3.k1.AAAA'), { ok: false, fault: 'newer' })
  t.strictSame(open(`v${'9'.repeat(99)}.k1.AAAA`), { ok: false, fault: 'malformed' })
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
