import t from 'tap'
import type { Test } from 'tap'
import { createProver } from '../../../src/fhir/guard/prove.ts'
import { rewriteBytes } from '../../../src/fhir/guard/rewrite-bytes.ts'
import { base, bundleOf, compare, observation, prove, read, rewriter, search } from './both.ts'

/** Bytes are read sixteen at a time: whatever a token is, it may begin and end anywhere in such a block. */
const about = '"subject":{"reference":"Patient/p1"}'
const record = (member: string): Buffer =>
  Buffer.from(`{"resourceType":"Observation","id":"o1",${member},${about}}`)

function isJson(text: string): boolean {
  try {
    JSON.parse(text)
    return true
  } catch {
    return false
  }
}

/** Nothing else is unusual in these: what is JSON is proved, and nothing else is. */
function sameAsJson(t: Test, name: string, members: Iterable<string>): void {
  const wrong: string[] = []
  let proved = 0
  for (const member of members) {
    const body = record(member)
    const found = compare(body, read) === 'proved'
    if (found !== isJson(body.toString())) wrong.push(member)
    if (found) proved += 1
  }
  t.same(wrong, [], `${name}, of which ${String(proved)} were proved`)
}

const lengths = Array.from({ length: 201 }, (_, length) => length)

t.test('strings of every length, with every ending', (t) => {
  const endings = [
    '',
    'ü',
    '😀',
    '\\"',
    '\\\\',
    '\\/',
    '\\b',
    '\\f',
    '\\n',
    '\\r',
    '\\t',
    '\\u00e9',
    '\\uD800',
    '\\uABCD',
    '\\',
    '\\x',
    '\\u',
    '\\u0',
    '\\u00',
    '\\u000',
    '\\u00g0',
    '\\U0041',
    "\\'",
    '\\0',
    '\u0000',
    '\u0001',
    '\n',
    '\t',
    '\u001f',
    '\u007f',
    '\u0020',
    '\u2028',
    '"',
    '","y":"',
    '"}',
    '{}[]:,',
  ]
  for (const ending of endings) {
    const all = lengths.map((length) => `"x":"${'a'.repeat(length)}${ending}"`)
    sameAsJson(t, encodeURIComponent(ending), all)
    const within = lengths.map((length) => `"x":"${'a'.repeat(length)}${ending}${'b'.repeat(20)}"`)
    sameAsJson(t, `${encodeURIComponent(ending)} within`, within)
  }
  t.end()
})

t.test('runs of backslashes', (t) => {
  const runs = lengths.flatMap((length) =>
    Array.from({ length: 40 }, (_, run) => `"x":"${'a'.repeat(length % 67)}${'\\'.repeat(run)}"`),
  )
  sameAsJson(t, 'before the end of a string', runs)
  t.end()
})

t.test('numbers and words', (t) => {
  const scalars = [
    '0',
    '-0',
    '1',
    '-1',
    '10',
    '1.5',
    '0.0',
    '1e5',
    '1E+5',
    '1e-05',
    '-1.50e10',
    '1234567890',
    '00',
    '01',
    '-',
    '-01',
    '+1',
    '.5',
    '1.',
    '1.e5',
    '1e',
    '1e+',
    '1ee5',
    '0x1',
    '1_0',
    '1 2',
    'true',
    'false',
    'null',
    'tru',
    'truE',
    'fals',
    'nul',
    'nulll',
    'True',
    'NaN',
    'Infinity',
    '',
    '[]',
    '{}',
    '[ ]',
    '{ }',
    '[1,2]',
    '[1,]',
    '[,1]',
    '[1 2]',
    '{,}',
    '{"a"}',
    '{"a":}',
    '{"a":1,}',
    '{"a":1 "b":2}',
    '{a:1}',
    "{'a':1}",
    '{1:1}',
    '[1}',
    '{"a":1]',
    '[[]',
    '{{}}',
    '{"a":1:2}',
    '["a":1]',
    '{"a" 1}',
    '{"a"::1}',
    '[[1],{"b":[{}]}]',
    '"a""b"',
    '"a",',
    '//',
  ]
  for (const space of ['', ' ', '\n', '\t', '\r', ' \r\n\t ', '\v', '\f', '\u00a0', '\ufeff']) {
    sameAsJson(
      t,
      `with ${encodeURIComponent(space)}`,
      scalars.map((scalar) => `"x"${space}:${space}${scalar}${space}`),
    )
  }
  t.end()
})

t.test('white space of every length, everywhere', (t) => {
  const text = `{"resourceType":"Observation","id":"o1","x":[1,{},[],{"y":true}],${about}}`
  for (const length of lengths) {
    const space = ' \n\t\r'.repeat(length).slice(0, length)
    const body = text.replaceAll(/(?<=[{}[\],:])|(?=[{}[\],:])/g, space)
    t.equal(compare(Buffer.from(body), read), 'proved')
  }
  t.end()
})

t.test('every cut, every byte left out, every byte changed', (t) => {
  const whole = Buffer.from(JSON.stringify(bundleOf(observation, { ...observation, id: 'o2' })))
  for (let at = 0; at < whole.length; at += 1) {
    if (prove(whole.subarray(0, at), search) !== undefined) t.fail(`cut at ${String(at)}`)
    compare(Buffer.concat([whole.subarray(0, at), whole.subarray(at + 1)]), search)
    for (const byte of [
      0, 0x09, 0x20, 0x22, 0x2c, 0x30, 0x3a, 0x5c, 0x5d, 0x7b, 0x7d, 0x80, 0xff,
    ]) {
      const changed = Buffer.from(whole)
      changed[at] = byte
      compare(changed, search)
    }
  }
  t.equal(compare(whole, search), 'proved')
  t.end()
})

t.test('as deep as the full judge goes, and not deeper', (t) => {
  for (const [open, close] of [
    ['[', ']'],
    ['{"a":', '}'],
  ] as const) {
    for (const depth of [1, 50, 97, 98, 99, 100, 101, 102, 128, 1000, 100_000]) {
      const body = record(`"x":${open.repeat(depth)}1${close.repeat(depth)}`)
      const proved = prove(body, read) !== undefined
      t.equal(proved, depth < 100, `${open} ${String(depth)} times`)
      if (depth < 1000) compare(body, read)
    }
  }
  t.end()
})

t.test('one scan leaves nothing behind for the next', (t) => {
  const long = Buffer.from(
    JSON.stringify(bundleOf(...Array.from({ length: 400 }, () => observation))),
  )
  const foreign = { ...observation, subject: { reference: 'Patient/p2' } }
  const other = Buffer.from(JSON.stringify(bundleOf(foreign)))
  const single = Buffer.from(JSON.stringify(observation))
  for (let round = 0; round < 3; round += 1) {
    t.equal(compare(long, search), 'proved')
    t.equal(compare(other, search), 'refused')
    t.equal(compare(long.subarray(0, -1), search), 'refused', 'what stood behind it is not read')
    t.equal(compare(single, read), 'proved')
    t.equal(compare(single.subarray(0, -1), read), 'refused')
  }
  t.end()
})

t.test('two answers at once: each is rewritten from its own bytes', (t) => {
  const texts = ['one', 'another, longer'].map((status) => ({ ...observation, status }))
  const [first, second] = texts.map((one) => Buffer.from(JSON.stringify(bundleOf(one))))
  const proofs = [first!, second!].map((bytes) => prove(bytes, search)!)
  for (const [index, proof] of proofs.entries()) {
    const { body } = rewriteBytes(proof, rewriter)
    t.match(body.toString(), `"status":"${texts[index]!.status}"`)
    t.ok(JSON.parse(body.toString()))
  }
  t.end()
})

t.test('a large one is rewritten as it should be; one that is too large is not proved', (t) => {
  const entries = (count: number): Buffer =>
    Buffer.from(JSON.stringify(bundleOf(...Array.from({ length: count }, () => observation))))
  const count = Math.floor(6_000_000 / entries(1000).length) * 1000
  t.equal(compare(entries(count), search), 'proved')
  t.equal(prove(entries(count * 2), search), undefined)
  t.end()
})

t.test('where memory runs out the bytes are put together elsewhere, and are the same', (t) => {
  // A base so short and a text so long that the answer grows many times over.
  const urls = Array.from({ length: 4000 }, (_, index) => `${base}/Observation/o${String(index)}`)
  const list = urls.map((reference) => ({ reference }))
  const body = Buffer.from(JSON.stringify({ ...observation, hasMember: list, derivedFrom: list }))
  const proof = createProver()(body, read)
  t.ok(proof)
  if (proof === undefined) return t.end()
  const long = { ...rewriter, base: `https://app.example/${'x'.repeat(4000)}` }
  const rewritten = rewriteBytes(proof, long).body.toString()
  t.equal(rewritten, body.toString().replaceAll(base, long.base))
  return t.end()
})

t.test('what was looked at for one request may be looked at for another', (t) => {
  const subject = { reference: `${base}/Patient/p1` }
  const body = Buffer.from(JSON.stringify({ ...observation, subject }))
  t.equal(compare(body, search), 'refused')
  t.equal(compare(body, read), 'proved')
  t.equal(compare(body, read), 'proved')
  t.end()
})
