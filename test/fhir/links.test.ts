import { createCipheriv, createDecipheriv, createHmac, hkdfSync, randomBytes } from 'node:crypto'
import fc from 'fast-check'
import t from 'tap'
import { Secret } from '../../src/config/secret.ts'
import { createLinks, linksUnder } from '../../src/fhir/links.ts'

const ringKey = (id: string): { id: string; secret: Secret } => ({
  id,
  secret: new Secret(randomBytes(32).toString('base64url')),
})
const first = ringKey('k1')
const links = createLinks([first])
const launch = 'launch-1'
const kinds = ['page', 'binary', 'confirm', 'once'] as const

t.test('what was sealed opens, whatever it says and however long it is', (t) => {
  const text = fc.oneof(
    fc.string({ unit: 'grapheme', maxLength: 400 }),
    fc.nat({ max: 3000 }).map((length) => 'ü'.repeat(length)),
  )
  fc.assert(
    fc.property(fc.constantFrom(...kinds), text, (kind, payload) => {
      const sealed = links.seal(kind, launch, payload)
      return links.open(kind, launch, sealed) === payload && /^[A-Za-z0-9_-]+$/.test(sealed)
    }),
    { numRuns: 500 },
  )
  const long = 'x'.repeat(40_000)
  t.equal(links.open('once', launch, links.seal('once', launch, long)), long)
  for (let length = 0; length < 200; length += 1) {
    const payload = 'p'.repeat(length)
    t.equal(links.open('page', launch, links.seal('page', launch, payload)), payload)
  }
  t.end()
})

t.test('it opens as nothing else: not another kind, launch or key, nor with a bit changed', (t) => {
  const sealed = links.seal('page', launch, 'the next page')
  for (const kind of kinds.slice(1)) t.equal(links.open(kind, launch, sealed), undefined, kind)
  t.equal(links.open('page', 'launch-2', sealed), undefined)
  t.equal(createLinks([ringKey('k1')]).open('page', launch, sealed), undefined)
  const bytes = Buffer.from(sealed, 'base64url')
  for (let at = 0; at < bytes.length; at += 1) {
    const other = Buffer.from(bytes)
    other[at]! ^= 1 << (at % 8)
    t.equal(
      links.open('page', launch, other.toString('base64url')),
      undefined,
      `byte ${String(at)}`,
    )
  }
  for (let length = 0; length < bytes.length; length += 1) {
    t.equal(links.open('page', launch, bytes.toString('base64url', 0, length)), undefined)
  }
  t.equal(links.open('page', launch, `${sealed}AAAA`), undefined)
  t.end()
})

t.test('the same text is sealed otherwise each time, and says nothing of itself', (t) => {
  const payload = 'name=Jones '.repeat(20)
  const sealed = Array.from({ length: 200 }, () => links.seal('page', launch, payload))
  t.equal(new Set(sealed).size, sealed.length)
  for (const one of sealed) t.notMatch(Buffer.from(one, 'base64url').toString('latin1'), 'Jones')
  t.end()
})

t.test('no block of a key stream is used twice', (t) => {
  const used = new Set<string>()
  let blocks = 0
  const makers = [links, createLinks([first]), linksUnder(links.keysOf(launch))]
  for (let round = 0; round < 1500; round += 1) {
    const length = (round * 397) % 5000
    for (const maker of makers) {
      const bytes = Buffer.from(maker.seal('page', launch, 'x'.repeat(length)), 'base64url')
      t.equal(bytes.length, 16 + length + 16)
      const start = bytes.toString('hex', 0, 12)
      const counter = bytes.readUInt32BE(12)
      for (let block = 0; block < Math.ceil(length / 16); block += 1) {
        used.add(`${start} ${String(counter + block)}`)
        blocks += 1
      }
    }
  }
  t.equal(used.size, blocks)
  t.end()
})

t.test('its parts are those of the standards, computed anew', (t) => {
  const payload = 'the text that is sealed, of more than a few blocks of the cipher'
  const bytes = Buffer.from(links.seal('page', launch, payload), 'base64url')
  const keys = links.keysOf(launch)[0] ?? Buffer.alloc(0)
  const decipher = createDecipheriv('aes-256-ctr', keys.subarray(0, 32), bytes.subarray(0, 16))
  t.equal(decipher.update(bytes.subarray(16, -16)).toString(), payload)
  const mac = createHmac('sha256', keys.subarray(32, 64)).update('p').update(bytes.subarray(0, -16))
  t.same(bytes.subarray(-16), mac.digest().subarray(0, 16))
  t.end()
})

t.test('a key that is no longer the first still opens, and a retired one does not', (t) => {
  const sealed = links.seal('binary', launch, 'an attachment')
  const second = ringKey('k2')
  const rotated = createLinks([second, first])
  t.equal(rotated.open('binary', launch, sealed), 'an attachment')
  const anew = rotated.seal('binary', launch, 'an attachment')
  t.equal(links.open('binary', launch, anew), undefined, 'the first key seals')
  t.equal(createLinks([second]).open('binary', launch, anew), 'an attachment')
  t.equal(createLinks([second]).open('binary', launch, sealed), undefined)
  t.end()
})

t.test('the worker, which is given the keys of one launch, seals and opens the same links', (t) => {
  const away = linksUnder(links.keysOf(launch).map((key) => Buffer.from(Uint8Array.from(key))))
  t.equal(away.open('page', launch, links.seal('page', launch, 'x')), 'x')
  t.equal(links.open('page', launch, away.seal('page', launch, 'y')), 'y')
  t.end()
})

t.test('more launches than are kept in memory', (t) => {
  const sealed = Array.from({ length: 2500 }, (_, index) =>
    links.seal('page', `l${String(index)}`, String(index)),
  )
  for (const [index, one] of sealed.entries()) {
    if (links.open('page', `l${String(index)}`, one) !== String(index)) t.fail(String(index))
  }
  t.end()
})

t.test('links as they were sealed before are still opened', (t) => {
  const master = Buffer.from(first.secret.reveal(), 'base64url')
  const key = Buffer.from(hkdfSync('sha256', master, launch, 'smart-bff fhir link', 32))
  const iv = randomBytes(12)
  const cipher = createCipheriv('aes-256-gcm', key, iv, { authTagLength: 16 })
  cipher.setAAD(Buffer.from('page'))
  const text = Buffer.concat([iv, cipher.update('an older page', 'utf8'), cipher.final()])
  const sealed = Buffer.concat([text, cipher.getAuthTag()]).toString('base64url')
  t.equal(links.open('page', launch, sealed), 'an older page')
  t.equal(links.open('binary', launch, sealed), undefined)
  t.equal(links.open('page', 'launch-2', sealed), undefined)
  t.end()
})
