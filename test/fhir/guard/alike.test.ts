import fc from 'fast-check'
import t from 'tap'
import { base, compare, prove, search } from './both.ts'

/**
 * An entry like the one before is followed, not scanned (src/fhir/guard/vector/shape.ts). So these come behind one that
 * was scanned, and differ from it in as little as possible.
 */
const bundle = (...entries: string[]): Buffer =>
  Buffer.from(
    `{"resourceType":"Bundle","type":"searchset","link":[{"relation":"self","url":"${base}/Observation"}],"entry":[${entries.join(',')}]}`,
  )

const plain = `{"fullUrl":"${base}/Observation/o1","resource":{"resourceType":"Observation","id":"o1",
 "meta":{"versionId":"1"},"extension":[{"id":"x1","url":"http://x.example/a","valueUrl":"${base}/Binary"}],
 "status":"final","note":[{"text":"a \\"b\\" \\u00e9 of more than sixteen bytes"},{"text":""}],
 "valueQuantity":{"value":-72.50e1,"unit":"/min"},"active":true,"none":null,"empty":[{},[]],
 "hasMember":[{"reference":"${base}/Observation/o2"},{"reference":"${base}/Observation?x=1"}],
 "subject":{"reference":"Patient/p1","display":"P"}},"search":{"mode":"match"}}`

/** Made like it: what is the same in both is compared as one from the third entry on, the rest value by value. */
const varied = plain
  .replaceAll('o1', 'o22')
  .replace('final', 'preliminary')
  .replace('true', 'false')

/** Proved together where each is proved by itself, which is when nothing is followed; and as the full judge says. */
function together(...entries: string[]): string {
  const body = bundle(...entries)
  const found = compare(body, search)
  const each = entries.every((entry) => prove(bundle(entry), search) !== undefined)
  if ((found === 'proved') !== each)
    throw new Error(`${found}, not as one by one: ${entries.join()}`)
  return found
}

t.test('what is alike is proved, however many they are', (t) => {
  for (const count of [1, 2, 3, 50]) {
    const entries = Array.from({ length: count }, (_, index) =>
      plain.replaceAll('o1', `o${'1'.repeat(1 + (index % 20))}`),
    )
    t.equal(together(...entries), 'proved')
  }
  t.end()
})

t.test('one byte more, one less, or another, at every place', (t) => {
  const bytes = Buffer.from(plain)
  const tally: Record<string, number> = {}
  const others = ['', '"', '\\', '{', '}', '[', ']', ',', ':', ' ', '0', 'x', '/', '\u0000']
  for (let at = 0; at < bytes.length; at += 1) {
    const before = bytes.toString('latin1', 0, at)
    const behind = bytes.toString('latin1', at)
    for (const other of others) {
      for (const changed of [before + other + behind.slice(1), before + other + behind]) {
        const found = together(plain, changed, plain)
        tally[found] = (tally[found] ?? 0) + 1
        if (together(plain, varied, changed) !== found) t.fail(changed)
      }
    }
  }
  t.ok((tally['proved'] ?? 0) > 1000 && (tally['refused'] ?? 0) > 1000, JSON.stringify(tally))
  t.end()
})

t.test('a value of another patient, type or form behind one that was proved', (t) => {
  const rows: [string, string, string][] = [
    ['another patient', '"Patient/p1"', '"Patient/p2"'],
    ['a longer id', '"Patient/p1"', '"Patient/p11"'],
    ['a shorter id', '"Patient/p1"', '"Patient/p"'],
    ['no id', '"Patient/p1"', '"Patient/"'],
    ['nothing', '"Patient/p1"', '""'],
    ['an escaped patient', '"Patient/p1"', '"Patient/p\\u0032"'],
    ['a patient elsewhere', '"Patient/p1"', '"https://x.example/Patient/p1"'],
    ['a number', '"Patient/p1"', '1'],
    ['a list', '"Patient/p1"', '["Patient/p1"]'],
    ['another type', '"Observation","id"', '"Group","id"'],
    ['a type of the same length', '"Observation","id"', '"Obserwation","id"'],
    ['a bundle', '"Observation","id"', '"Bundle","id"'],
    ['a patient as type', '"Observation","id"', '"Patient","id"'],
    ['no type', '"resourceType":"Observation"', '"resourceTypf":"Observation"'],
    ['an escaped type', '"Observation","id"', '"Observati\\u006fn","id"'],
    ['an id that is none', '"id":"o1"', '"id":"../o1"'],
    ['an id of dots', '"id":"o1"', '"id":".."'],
    ['an empty id', '"id":"o1"', '"id":""'],
    ['an escaped id', '"id":"o1"', '"id":"\\u006f1"'],
    ['a long id', '"id":"o1"', `"id":"${'o'.repeat(65)}"`],
    ['no subject', '"subject"', '"subjekt"'],
    ['two subjects', '"subject"', '"subject":{"reference":"Patient/p1"},"subject"'],
    ['contained', '"status"', '"contained":[{"resourceType":"Patient","id":"p2"}],"status"'],
    ['an attachment', 'http://x.example/a', `${base}/Binary/b1`],
    ['a relative attachment', 'http://x.example/a', 'Binary/b1'],
    ['a control character', '"final"', '"fin\u0001al"'],
    ['a bad escape', '"final"', '"fin\\al"'],
    ['an open string', '"final"', '"final'],
    ['a bad number', '-72.50e1', '-072.50e1'],
    ['a word', 'true', 'truth'],
  ]
  for (const [name, from, to] of rows) {
    const changed = plain.replace(from, to)
    t.not(changed, plain, name)
    t.not(together(plain, changed), 'proved', name)
    t.not(together(plain, plain, changed, plain), 'proved', name)
    t.not(together(plain, varied, changed, varied), 'proved', name)
  }
  t.end()
})

t.test('entries of several shapes, one after the other', (t) => {
  const shapes = [
    plain,
    plain.replace('"subject"', '"patient":{"reference":"Patient/p1"},"subject"'),
    plain.replace('"status"', '"issued":"2026","status"'),
    plain.replace('"active":true,', ''),
    plain.replace(',"search":{"mode":"match"}', ''),
    plain.replace('"status"', '"contained":[{"resourceType":"Medication","id":"m"}],"status"'),
    plain.replace(/"hasMember":.*\n/, ''),
  ]
  t.equal(new Set(shapes).size, 7)
  for (let count = 1; count <= shapes.length; count += 1) {
    const some = shapes.slice(0, count)
    const list = [...some, ...some, ...some.toReversed()]
    t.equal(together(...list), 'proved', `${String(count)} shapes`)
    for (let at = 0; at < list.length; at += 1) {
      for (const [good, bad] of [
        ['p1","display"', 'p2","display"'],
        ['"Observation","id"', '"Group","id"'],
        ['"id":"o1"', '"id":"o/1"'],
        ['http://x.example/a', 'Binary/b1'],
      ] as const) {
        const changed = list.with(at, list[at]!.replace(good, bad))
        t.not(together(...changed), 'proved', `${String(count)} shapes, ${bad} in ${String(at)}`)
      }
    }
  }
  t.end()
})

t.test('where none is like another they are scanned, and those behind them too', (t) => {
  const odd = Array.from({ length: 80 }, (_, index) =>
    plain.replace('"status"', `"member${String(index)}":1,"status"`),
  )
  const alike = Array.from({ length: 40 }, () => plain)
  t.equal(together(...odd, ...alike, ...odd), 'proved')
  for (const at of [10, 39, 79, 85, 100, 119]) {
    const list = [...odd, ...alike, ...odd]
    const changed = list.with(at, list[at]!.replace('Patient/p1', 'Patient/p2'))
    t.equal(together(...changed), 'refused', String(at))
  }
  t.end()
})

t.test('the subject is looked at where another patient stands before it', (t) => {
  const one = plain.replace('"subject"', '"patient":{"reference":"Patient/p1"},"subject"')
  t.equal(together(one, one), 'proved')
  t.equal(together(one, one.replace('p1","display"', 'p2","display"')), 'refused')
  t.end()
})

t.test('ids of every length, with every odd letter at every place', (t) => {
  const short = (id: string): string =>
    `{"fullUrl":"${base}/Observation/${id}","resource":{"resourceType":"Observation","id":"${id}","subject":{"reference":"Patient/p1"}}}`
  for (const length of [1, 2, 15, 16, 17, 31, 32, 33, 48, 63, 64, 65]) {
    const good = 'aZ09-.mn'.repeat(9).slice(0, length)
    t.equal(together(short('o1'), short(good)), length > 64 ? 'refused' : 'proved', good)
    // A path takes `.` and `..` for something else; more dots are an id like others.
    const dots = together(short('o1'), short('.'.repeat(length)))
    t.equal(dots, length < 3 || length > 64 ? 'refused' : 'proved', `${String(length)} dots`)
    for (let at = 0; at < length; at += 1) {
      for (const odd of '_@[`{/:, é\u007f') {
        const id = good.slice(0, at) + odd + good.slice(at + 1)
        t.equal(together(short('o1'), short(id)), 'refused', id)
      }
    }
  }
  t.end()
})

t.test('an attachment is found wherever its URL names it', (t) => {
  const withUrl = (url: string): string => plain.replace('http://x.example/a', url)
  for (let length = 0; length < 40; length += 1) {
    for (const before of ['x', 'B', 'Binary']) {
      const start = before.repeat(length).slice(0, length)
      t.not(together(plain, withUrl(`${start}Binary/1`)), 'proved', start)
      t.not(together(plain, withUrl(`${start}Binary/1${'y'.repeat(length)}`)), 'proved', start)
      for (const other of ['Binary/', 'binary/1', 'BinarY/1', 'Binar/1', 'Bin']) {
        t.equal(together(plain, withUrl(start + other)), 'proved', start + other)
      }
    }
  }
  t.end()
})

t.test('contained resources are looked at in every entry', (t) => {
  const medication = '"contained":[{"resourceType":"Medication","id":"m"}],"status"'
  const one = plain.replace('"status"', medication)
  t.equal(together(one, one, one), 'proved')
  t.equal(together(one, one.replace('Medication', 'Patient')), 'refused')
  t.equal(together(one, one.replace('Medication', 'Observation')), 'refused')
  const about = '{"resourceType":"Observation","id":"o1","subject":{"reference":"Patient/p1"}}'
  const other = plain.replace('"status"', `"contained":[${about}],"status"`)
  t.equal(together(plain, other), 'judged', 'like the resource before it, but in another place')
  t.end()
})

t.test('URLs to be replaced are found in those that are followed', (t) => {
  const urls = [
    `${base}/Observation/o9`,
    `${base}/Observation/${'o'.repeat(64)}`,
    `${base}/Observation/${'o'.repeat(65)}`,
    `${base}/Encounter/e1/_history/2`,
    `${base}/Foo/1`,
    `${base}/`,
    base,
    `${base}x/Observation/o9`,
    'Observation/o9',
    '',
  ]
  for (const first of urls) {
    for (const second of urls) {
      const [one, two] = [first, second].map((url) =>
        plain.replace(`${base}/Observation/o2`, url).replace(`${base}/Observation/o1`, second),
      )
      t.equal(together(one!, two!, one!), 'proved', `${first} and ${second}`)
    }
  }
  t.end()
})

t.test('one that is of another shape only behind its URL is scanned from its beginning', (t) => {
  const entry = (url: string, last: string): string =>
    `{"fullUrl":"${url}","resource":{"resourceType":"Observation","id":"o1","subject":{"reference":"Patient/p1"}},"${last}":{}}`
  for (const path of ['Foo/1', 'Observation/o2', 'Observation?x', '']) {
    const first = entry(`${base}/Observation/o1`, 'search')
    const second = entry(`${base}/${path}`, 'other')
    t.equal(together(first, second, second, first), 'proved', path)
  }
  t.end()
})

t.test('entries of one making with other values, at random', (t) => {
  const word = fc.oneof(
    fc.constantFrom('', 'o1', 'Patient/p1', 'Patient/p2', 'Binary/b1', `${base}/Observation/o1`),
    fc.constantFrom('Observation', 'Encounter', 'Patient', 'Group', '\\u0041', '\\"', '\\x', '"'),
    fc.string({ unit: fc.constantFrom('a', 'é', '/', '.', '\\\\', ' ', '{', '"'), maxLength: 40 }),
  )
  const scalar = fc.constantFrom('1', '-0.5', '1e9', 'true', 'null', '01', 'nul', '"x"', '{}')
  const often = <T>(good: string, other: fc.Arbitrary<T>): fc.Arbitrary<string> =>
    fc.oneof(
      { weight: 12, arbitrary: fc.constant(good) },
      { weight: 1, arbitrary: other.map(String) },
    )
  const values = fc.record({
    fullUrl: often(`${base}/Observation/o1`, word),
    type: often('Observation', word),
    id: often('o1', word),
    url: often('http://x.example/', word),
    text: word.filter((one) => one !== '"' && one !== '\\x'),
    value: often('72.5', scalar),
    member: often(`${base}/Observation/o3`, word),
    subject: fc.oneof(often('Patient/p1', word), often(`${base}/Patient/p1`, word)),
    patient: often('Patient/p1', word),
  })
  type Values = typeof values extends fc.Arbitrary<infer V> ? V : never
  const makings: ((values: Values) => string)[] = [
    ({ fullUrl, type, id, url, text, value, member, subject }) =>
      `{"fullUrl":"${fullUrl}","resource":{"resourceType":"${type}","id":"${id}","extension":[{"id":"${text.length > 3 ? 'x' : id}","url":"${url}"}],"text":"${text}","value":${value},"hasMember":[{"reference":"${member}"}],"subject":{"reference":"${subject}"}}}`,
    ({ type, id, text, member, subject, patient }) =>
      `{ "resource" : { "id" : "${id}", "subject": {"reference":"${subject}","display":"${text}"}, "patient" : {"reference":"${patient}"},\n"x":{"subject":{"reference":"${member}"}}, "resourceType" : "${type}" } ,"search":{}}`,
    ({ type, id, text, subject }) =>
      `{"resource":{"resourceType":"${type}","contained":[{"resourceType":"Medication","id":"${id}"}],"id":"${id}","text":"${text}","subject":{"reference":"${subject}"}}}`,
  ]
  const entries = fc
    .tuple(fc.constantFrom(...makings), fc.array(values, { minLength: 2, maxLength: 5 }))
    .map(([make, list]) => list.map(make))
  const mixed = fc
    .array(fc.tuple(fc.constantFrom(...makings), values), { minLength: 2, maxLength: 6 })
    .map((list) => list.map(([make, one]) => make(one)))
  const tally: Record<string, number> = {}
  fc.assert(
    fc.property(fc.oneof(entries, mixed), (list) => {
      const found = together(...list)
      tally[found] = (tally[found] ?? 0) + 1
    }),
    { numRuns: 15_000 },
  )
  t.ok((tally['proved'] ?? 0) > 500 && (tally['refused'] ?? 0) > 500, JSON.stringify(tally))
  t.end()
})

t.test('an entry of more values than are remembered', (t) => {
  for (const count of [500, 511, 512, 513, 600]) {
    const note = Array.from({ length: count }, () => '"x"').join()
    const long = plain.replace('"status"', `"given":[${note}],"status"`)
    t.equal(together(long, long, plain, long), 'proved')
    t.equal(together(long, long.replace('Patient/p1', 'Patient/p2')), 'refused')
  }
  t.end()
})
