import fc from 'fast-check'
import t from 'tap'
import { base, bundleOf, compare, observation, read, search } from './both.ts'

t.test('the common case is proved, not parsed', (t) => {
  const encounter = {
    resourceType: 'Encounter',
    id: 'e1',
    subject: { reference: `${base}/Patient/p1` },
  }
  const practitioner = { resourceType: 'Practitioner', id: '7', name: [{ family: 'Ü' }] }
  const medication = { ...observation, contained: [{ resourceType: 'Medication', id: 'm' }] }
  for (const body of [
    bundleOf(),
    bundleOf(observation),
    bundleOf(observation, encounter, practitioner, medication),
  ]) {
    t.equal(compare(Buffer.from(JSON.stringify(body)), search), 'proved')
    t.equal(
      compare(Buffer.from(JSON.stringify(body, undefined, '\t')), search),
      'proved',
      'with white space',
    )
  }
  t.equal(compare(Buffer.from(JSON.stringify(observation)), read), 'proved')
  const { entry: _, ...empty } = { ...bundleOf(), entry: 0 }
  t.equal(compare(Buffer.from(JSON.stringify(empty)), search), 'proved')
  t.end()
})

t.test('a corpus of hostile bodies', (t) => {
  const good = JSON.stringify(observation)
  const wrap = (resource: string): string =>
    `{"resourceType":"Bundle","type":"searchset","entry":[{"resource":${resource}}]}`
  const rows: [string, string][] = [
    ['another patient', good.replace('Patient/p1', 'Patient/p2')],
    ['a prefix of the id', good.replace('Patient/p1', 'Patient/p11')],
    ['an escaped name', good.replace('"subject"', '"s\\u0075bject"')],
    ['an escaped slash', good.replace('Patient/p1', 'Patient\\/p2')],
    ['an escaped letter', good.replace('Patient/p1', 'Patient/p\\u0032')],
    [
      'two subjects, ours first',
      good
        .replace('"subject"', '"subject":{"reference":"Patient/p1"},"subject"')
        .replace(/p1"\}\}$/, 'p2"}}'),
    ],
    [
      'two references',
      good.replace('"reference":"Patient/p1"', '"reference":"Patient/p1","reference":"Patient/p2"'),
    ],
    [
      'two types',
      good
        .replace('{"resourceType"', '{"resourceType":"Observation","resourceType"')
        .replace('"Observation","id"', '"Group","id"'),
    ],
    ['two ids', good.replace('"id":"o1"', '"id":"o1","id":"../x"')],
    ['two escaped types', good.replace('{', '{"resourceTyp\\u0065":"Group",')],
    [
      '__proto__',
      good
        .replace('{', '{"__proto__":{"subject":{"reference":"Patient/p1"}},')
        .replace(/"subject":\{"reference":"Patient\/p1"\}\}$/, '"x":1}'),
    ],
    [
      'a decoy in an extension',
      '{"resourceType":"Observation","id":"o1","extension":[{"subject":{"reference":"Patient/p1"}}]}',
    ],
    [
      'a decoy one level down',
      '{"resourceType":"Observation","id":"o1","x":{"subject":{"reference":"Patient/p1"}}}',
    ],
    [
      'a decoy in a string',
      `{"resourceType":"Observation","id":"o1","x":${JSON.stringify('"subject":{"reference":"Patient/p1"}')}}`,
    ],
    [
      'a list of subjects',
      good.replace(
        '{"reference":"Patient/p1"}',
        '[{"reference":"Patient/p1"},{"reference":"Patient/p2"}]',
      ),
    ],
    ['no subject', '{"resourceType":"Observation","id":"o1"}'],
    [
      'an identifier as subject',
      '{"resourceType":"Observation","id":"o1","subject":{"identifier":{"value":"p1"}}}',
    ],
    ['a group', good.replace('Patient/p1', 'Group/p1')],
    ['another server', good.replace('Patient/p1', 'https://evil.example/Patient/p1')],
    [
      'a contained patient',
      good.replace('"status"', '"contained":[{"resourceType":"Patient","id":"p1"}],"status"'),
    ],
    [
      'a contained record of another',
      good.replace(
        '"status"',
        '"contained":[{"resourceType":"Encounter","id":"e","subject":{"reference":"Patient/p2"}}],"status"',
      ),
    ],
    ['contained without a type', good.replace('"status"', '"contained":[{"id":"p1"}],"status"')],
    [
      'nested in an extension',
      good.replace(
        '"status"',
        '"extension":[{"valueX":{"resourceType":"Observation","id":"o2","subject":{"reference":"Patient/p2"}}}],"status"',
      ),
    ],
    [
      'a nested bundle',
      `{"resourceType":"Bundle","id":"b","type":"searchset","entry":[{"resource":${good.replace('p1', 'p2')}}]}`,
    ],
    ['no type', '{"id":"o1","subject":{"reference":"Patient/p1"}}'],
    ['a type that is a list', good.replace('"Observation"', '["Observation"]')],
    [
      'parameters',
      `{"resourceType":"Parameters","parameter":[{"name":"x","resource":${good.replace('p1', 'p2')}}]}`,
    ],
    [
      'an outcome with text',
      '{"resourceType":"OperationOutcome","issue":[{"severity":"error","code":"invalid","diagnostics":"Ng"}]}',
    ],
    [
      'deep nesting',
      `{"resourceType":"Observation","id":"o1","x":${'['.repeat(5000)}${']'.repeat(5000)},"subject":{"reference":"Patient/p1"}}`,
    ],
    ['a null', 'null'],
    ['a string', '"x"'],
    ['a list', `[${good}]`],
    ['two resources', `${good},"resource":${good}`],
  ]
  for (const [name, resource] of rows) {
    t.not(compare(Buffer.from(wrap(resource)), search), 'proved', name)
    const single = compare(Buffer.from(resource), read)
    t.not(single, 'proved', `${name}, read`)
  }
  const frames: [string, string][] = [
    ['truncated', wrap(good).slice(0, -1)],
    ['truncated within', wrap(good).slice(0, 90)],
    ['more behind', `${wrap(good)}{}`],
    ['a comma too many', wrap(good).replace(']}', ',]}')],
    ['a missing comma', wrap(good).replace(',"id"', ' "id"')],
    ['a bare word', wrap(good).replace('"final"', 'final')],
    ['a bad number', wrap(good).replace('"final"', '01')],
    ['a bad escape', wrap(good).replace('final', '\\x')],
    ['a control character', wrap(good).replace('final', '\u0001')],
    ['a byte order mark', `\ufeff${wrap(good)}`],
    ['entry null', wrap(good).replace(`[{"resource":${good}}]`, 'null')],
    ['an entry null', wrap(good).replace('[{', '[null,{')],
    ['an entry text', wrap(good).replace('[{', '["x",{')],
    ['an entry list', wrap(good).replace('[{', '[[{"x":1}],{')],
    ['an entry without a resource', wrap(good).replace('[{', '[{"x":1},{')],
    ['a resource list', wrap(good).replace(good, '[]')],
    ['no bundle type', wrap(good).replace('"type":"searchset",', '')],
    ['a message', wrap(good).replace('searchset', 'message')],
    [
      'a resource beside the entries',
      wrap(good).replace('"type"', `"x":{"resource":${good.replace('p1', 'p2')}},"type"`),
    ],
    ['two entries members', wrap(good).replace('"type"', `"entry":[{"resource":${good}}],"type"`)],
    [
      'a member that no Bundle has',
      wrap(good).replace('"type"', '"subject":{"reference":"Patient/p2"},"type"'),
    ],
    ['a link that is a text', wrap(good).replace('"type"', `"link":"${base}","type"`)],
  ]
  for (const [name, body] of frames) t.not(compare(Buffer.from(body), search), 'proved', name)
  const bad = Buffer.from(wrap(good).replace('final', '\u00ff'), 'latin1')
  t.not(compare(bad, search), 'proved', 'no UTF-8')
  t.end()
})

t.test('generated bodies, changed at random: never a difference in the unsafe direction', (t) => {
  const name = fc.constantFrom(
    'resourceType',
    'id',
    'subject',
    'patient',
    'reference',
    'contained',
    'resource',
    'entry',
    'link',
    'type',
    'url',
    'fullUrl',
    'x',
    '__proto__',
  )
  const text = fc.constantFrom(
    'Observation',
    'Encounter',
    'Patient',
    'Practitioner',
    'Bundle',
    'Group',
    'searchset',
    'p1',
    'o1',
    'Patient/p1',
    'Patient/p2',
    `${base}/Patient/p1`,
    `${base}/Observation/o1`,
    '',
    'ü"\\',
  )
  const { value } = fc.letrec((tie) => ({
    value: fc.oneof(
      { maxDepth: 6, depthIdentifier: 'v' },
      text,
      fc.constantFrom(null, 1, -0.5, true),
      tie('object'),
      tie('list'),
      tie('resource'),
    ),
    object: fc.dictionary(name, tie('value'), { maxKeys: 5, depthIdentifier: 'v' }),
    list: fc.array(tie('value'), { maxLength: 3, depthIdentifier: 'v' }),
    resource: fc.record(
      {
        resourceType: text,
        id: text,
        subject: fc.record({ reference: text }),
        patient: fc.record({ reference: text }),
        contained: tie('list'),
        x: tie('value'),
      },
      { requiredKeys: ['resourceType'] },
    ),
  }))
  const good = fc.constantFrom(
    observation,
    { ...observation, resourceType: 'Encounter' },
    { ...observation, contained: [{ resourceType: 'Medication' }] },
  )
  const body = fc.oneof(
    fc
      .array(fc.oneof({ weight: 3, arbitrary: good }, { weight: 1, arbitrary: value }), {
        maxLength: 4,
      })
      .map((list) => bundleOf(...list)),
    fc
      .tuple(fc.array(good, { maxLength: 3 }), name, value)
      .map(([list, member, extra]) => ({ ...bundleOf(...list), [member]: extra })),
    value,
  )
  const change = fc.record({
    at: fc.double({ min: 0, max: 0.999, noNaN: true }),
    with: fc.oneof(
      fc.constantFrom(
        '"',
        '\\',
        '{',
        '}',
        '[',
        ']',
        ',',
        ':',
        '',
        ' ',
        '"subject":{"reference":"Patient/p2"},',
        '\\u0070',
      ),
      fc.string({ maxLength: 2 }),
    ),
    remove: fc.nat({ max: 3 }),
  })
  const tally = { proved: 0, judged: 0, refused: 0 } as Record<string, number>
  fc.assert(
    fc.property(body, fc.array(change, { maxLength: 2 }), fc.boolean(), (body, changes, spaced) => {
      let json = JSON.stringify(body, undefined, spaced ? 1 : undefined)
      for (const one of changes) {
        const at = Math.floor(one.at * json.length)
        json = json.slice(0, at) + one.with + json.slice(at + one.remove)
      }
      const bytes = Buffer.from(json)
      tally[compare(bytes, search)]! += 1
      tally[compare(bytes, read)]! += 1
    }),
    { numRuns: 20_000 },
  )
  t.ok((tally['proved'] ?? 0) > 500, JSON.stringify(tally))
  t.end()
})

t.test(
  'records with members doubled, escaped, moved and misplaced, in one JSON or another',
  (t) => {
    // Pieces of text, because no parsed value can hold a member twice or an escape.
    const name = fc.constantFrom(
      '"resourceType"',
      '"resourceTyp\\u0065"',
      '"id"',
      '"\\u0069d"',
      '"subject"',
      '"s\\u0075bject"',
      '"_subject"',
      '"patient"',
      '"reference"',
      '"contained"',
      '"resource"',
      '"entry"',
      '"link"',
      '"type"',
      '"url"',
      '"fullUrl"',
      '"location"',
      '"response"',
      '"x"',
      '"__proto__"',
    )
    const text = fc.constantFrom(
      '"Observation"',
      '"Encounter"',
      '"Patient"',
      '"Bundle"',
      '"Group"',
      '"searchset"',
      '"o1"',
      '"p1"',
      '"p2"',
      '"Patient/p1"',
      '"Patient/p2"',
      '"Patient/p1/_history/1"',
      '"Patient\\/p1"',
      '"Patient/p\\u0031"',
      '"Patient/p\\u0032"',
      `"${base}/Patient/p1"`,
      `"${base}x/Patient/p1"`,
      `"${base}/Observation/o1"`,
      '"Binary/b1"',
      '""',
    )
    type Pair = readonly [string, string]
    const print = (pairs: readonly Pair[]): string =>
      `{${pairs.map(([left, right]) => `${left}:${right}`).join(',')}}`
    const { value, record, extra } = fc.letrec<{
      value: string
      object: string
      list: string
      record: string
      extra: Pair
    }>((tie) => ({
      value: fc.oneof(
        { maxDepth: 4, depthIdentifier: 'v' },
        text,
        fc.constantFrom('null', '1', '-0.50', 'true', '1e3', '12345678901234567890'),
        text.map((one) => `{"reference":${one}}`),
        tie('object'),
        tie('list'),
        tie('record'),
      ),
      object: fc.array(tie('extra'), { maxLength: 3, depthIdentifier: 'v' }).map(print),
      list: fc
        .array(tie('value'), { maxLength: 2, depthIdentifier: 'v' })
        .map((items) => `[${items.join(' , ')}]`),
      extra: fc.tuple(name, tie('value')),
      record: fc
        .tuple(
          fc.constantFrom('"Observation"', '"Encounter"'),
          fc.array(fc.tuple(fc.nat({ max: 4 }), tie('extra')), {
            maxLength: 2,
            depthIdentifier: 'v',
          }),
        )
        .map(([type, extras]) => {
          const pairs: Pair[] = [
            ['"resourceType"', type],
            ['"id"', '"o1"'],
            ['"status"', '"final"'],
            ['"subject"', '{"reference":"Patient/p1"}'],
          ]
          for (const [at, pair] of extras) pairs.splice(at, 0, pair)
          return print(pairs)
        }),
    }))
    const entry = fc
      .tuple(
        fc.oneof({ weight: 5, arbitrary: record }, { weight: 1, arbitrary: value }),
        fc.array(extra, { maxLength: 1 }),
      )
      .map(([resource, extras]) => print([['"resource"', resource], ...extras]))
    const body = fc
      .tuple(fc.array(entry, { maxLength: 3 }), fc.array(extra, { maxLength: 1 }))
      .map(([entries, extras]) =>
        print([
          ['"resourceType"', '"Bundle"'],
          ['"type"', '"searchset"'],
          ['"entry"', `[${entries.join(',')}]`],
          ...extras,
        ]),
      )
    const tally = { proved: 0, judged: 0, refused: 0 } as Record<string, number>
    fc.assert(
      fc.property(body, record, (all, one) => {
        tally[compare(Buffer.from(all), search)]! += 1
        tally[compare(Buffer.from(one), read)]! += 1
      }),
      { numRuns: 20_000 },
    )
    t.ok((tally['proved'] ?? 0) > 500, JSON.stringify(tally))
    t.ok((tally['refused'] ?? 0) > 500, JSON.stringify(tally))
    t.end()
  },
)
