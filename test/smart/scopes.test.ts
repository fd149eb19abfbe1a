import fc from 'fast-check'
import t from 'tap'
import { covers, lostScopes, parseScope, parseScopes } from '../../src/smart/scopes.ts'
import type { ScopeAction } from '../../src/smart/scopes.ts'
import { matchesScope, matchesToken, splitAlternatives } from '../../src/smart/token-search.ts'

const actions: ScopeAction[] = ['c', 'r', 'u', 'd', 's']

t.test('a scope is read as SMART writes it', (t) => {
  const rows: [string, string | undefined][] = [
    ['patient/Observation.rs', 'patient Observation rs'],
    ['patient/Observation.cruds', 'patient Observation cruds'],
    ['user/*.s', 'user * s'],
    ['patient/Observation.read', 'patient Observation rs'],
    ['patient/Observation.write', 'patient Observation cud'],
    ['patient/*.*', 'patient * cruds'],
    ['user/AdverseEvent.Read', 'user AdverseEvent rs'],
    ['http://smarthealthit.org/fhir/scopes/patient/Patient.r', 'patient Patient r'],
    ['http://smarthealthit.org/FHIR/scopes/patient/Patient.read', 'patient Patient rs'],
    ['patient/Observation.dus', undefined],
    ['patient/Observation.rr', undefined],
    ['patient/Observation.', undefined],
    ['patient/Observation', undefined],
    ['patient/Observation.read-only', undefined],
    ['patient/Observation.rs?active', undefined],
    ['patient/Observation.rs?', undefined],
    ['patient/Observation.rs?code:in=x', undefined],
    ['patient/Observation.rs?patient.name=x', undefined],
    ['patient/Observation.rs?_filter=x', undefined],
    ['patient/Observation.rs?category=%zz', undefined],
    ['patient/Observation.rs?category=a&', undefined],
    ['patient/Foo.rs', undefined],
    ['patient/observation.rs', undefined],
    ['PATIENT/observation.READ', 'patient Observation rs'],
    ['patient/procedurerequest.read', undefined],
    ['patient.Observation.read', 'patient Observation rs'],
    ['user.Observation.cru', 'user Observation cru'],
    ['patient.*.read', 'patient * rs'],
    ['patient.observation.rs', undefined],
    ['patient.Observation.Condition.read', undefined],
    ['patient/Observation/read', undefined],
    ['Patient.read', undefined],
    ['launch.patient', undefined],
    ['http://evil.example/fhir/scopes/patient/Patient.r', undefined],
    ['http://openid.net/specs/openid-connect-core-1_0#openid', undefined],
    ['patient/Observation.rs ', undefined],
    ['launch/patient', undefined],
    ['openid', undefined],
    ['', undefined],
    [`patient/Observation.rs?category=${'x'.repeat(2000)}`, undefined],
  ]
  for (const [text, expected] of rows) {
    const scope = parseScope(text)
    const shown = scope && `${scope.level} ${scope.resource} ${scope.actions}`
    t.equal(shown, expected, text)
  }
  t.strictSame(parseScope('patient/Observation.rs?category=http://x|a&status=final')?.parameters, [
    { name: 'category', value: 'http://x|a' },
    { name: 'status', value: 'final' },
  ])
  t.end()
})

t.test('v1 and v2 letters never exceed what SMART says', (t) => {
  const read = parseScopes('patient/Observation.read')
  const kinds = actions.map(
    (action) => covers(read, { resource: 'Observation', action, patient: true }).kind,
  )
  t.strictSame(kinds, ['none', 'all', 'none', 'none', 'all'])
  t.end()
})

t.test('a patient scope covers nothing without a patient, a system scope nothing at all', (t) => {
  const kind = (granted: string, patient: boolean): string =>
    covers(parseScopes(granted), { resource: 'Patient', action: 'r', patient }).kind
  t.equal(kind('patient/*.cruds', false), 'none')
  t.equal(kind('patient/*.cruds', true), 'all')
  t.equal(kind('user/Patient.r', false), 'all')
  t.equal(kind('system/*.cruds', true), 'none')
  t.equal(kind('', true), 'none')
  t.end()
})

t.test('scopes add up, and one without parameters lifts the others', (t) => {
  const need = { resource: 'Observation', action: 's', patient: true } as const
  const part = covers(
    parseScopes('patient/Observation.rs?category=a patient/Observation.s?category=b'),
    need,
  )
  t.strictSame(part, {
    kind: 'part',
    alternatives: [[{ name: 'category', value: 'a' }], [{ name: 'category', value: 'b' }]],
  })
  t.equal(covers(parseScopes('patient/Observation.rs?category=a patient/*.s'), need).kind, 'all')
  t.end()
})

t.test('covers agrees with a naive model', (t) => {
  const scope = fc.record({
    level: fc.constantFrom('patient', 'user', 'system'),
    resource: fc.constantFrom('*', 'Observation', 'Patient', 'Condition'),
    letters: fc.subarray(actions, { minLength: 1 }),
    query: fc.constantFrom('', '?category=a', '?status=b&code=c'),
  })
  const need = fc.record({
    resource: fc.constantFrom('Observation', 'Patient', 'Condition'),
    action: fc.constantFrom(...actions),
    patient: fc.boolean(),
  })
  fc.assert(
    fc.property(fc.array(scope, { maxLength: 6 }), need, (scopes, need) => {
      const granted = scopes
        .map((s) => `${s.level}/${s.resource}.${s.letters.join('')}${s.query}`)
        .join(' ')
      const fitting = scopes.filter(
        (s) =>
          (s.level === 'user' || (s.level === 'patient' && need.patient)) &&
          [need.resource, '*'].includes(s.resource) &&
          s.letters.includes(need.action),
      )
      let expected = fitting.length === 0 ? 'none' : 'part'
      if (fitting.some((s) => s.query === '')) expected = 'all'
      return covers(parseScopes(granted), need).kind === expected
    }),
    { numRuns: 2000 },
  )
  t.end()
})

t.test('a scope in any of its spellings is the same scope', (t) => {
  const spelled = fc.record({
    level: fc.constantFrom('patient', 'user'),
    resource: fc.constantFrom('*', 'Observation', 'AllergyIntolerance'),
    action: fc.constantFrom('read', 'write', '*'),
    upper: fc.boolean(),
    separator: fc.constantFrom('/', '.'),
    prefix: fc.constantFrom('', 'http://smarthealthit.org/fhir/scopes/'),
  })
  const letters: Record<string, string> = { read: 'rs', write: 'cud', '*': 'cruds' }
  fc.assert(
    fc.property(spelled, (s) => {
      const plain = `${s.level}${s.separator}${s.resource}.${s.action}`
      const scope = parseScope(s.prefix + (s.upper ? plain.toUpperCase() : plain))
      const read = scope && `${scope.level}/${scope.resource}.${scope.actions}`
      return read === `${s.level}/${s.resource}.${letters[s.action]}`
    }),
    { numRuns: 100 },
  )
  t.end()
})

t.test('what a later answer no longer grants', (t) => {
  const rows: [string, string, readonly string[]][] = [
    ['launch patient/Patient.r', 'launch patient/Patient.r', []],
    ['launch patient/Patient.r', 'patient/Patient.r', ['launch']],
    ['patient/Patient.rs', 'patient/Patient.read', []],
    ['patient/Patient.read', 'patient/*.rs', []],
    ['patient/*.rs', 'patient/Patient.rs', ['patient/*.rs']],
    ['patient/Patient.cruds', 'patient/Patient.rs patient/Patient.cud', []],
    ['patient/Patient.cruds', 'patient/Patient.rs', ['patient/Patient.cruds']],
    ['patient/Patient.r', 'user/Patient.r', ['patient/Patient.r']],
    ['patient/Observation.rs?category=a', 'patient/Observation.rs', []],
    ['patient/Observation.rs?category=a', 'patient/Observation.rs?category=a', []],
    ['patient/Observation.rs', 'patient/Observation.rs?category=a', ['patient/Observation.rs']],
    ['openid', 'http://openid.net/specs/openid-connect-core-1_0#openid', []],
    ['patient/Patient.r', '', ['patient/Patient.r']],
    ['', 'patient/Patient.r', []],
  ]
  for (const [before, after, lost] of rows) t.strictSame(lostScopes(before, after), lost, after)
  t.end()
})

t.test('where nothing is lost, everything that was covered still is', (t) => {
  const word = fc
    .tuple(
      fc.constantFrom('patient', 'user'),
      fc.constantFrom('*', 'Observation', 'Patient'),
      fc.subarray(actions, { minLength: 1 }),
    )
    .map(([level, resource, letters]) => `${level}/${resource}.${letters.join('')}`)
  const grant = fc.array(word, { maxLength: 5 }).map((words) => words.join(' '))
  const needs = ['Observation', 'Patient', 'Condition'].flatMap((resource) =>
    actions.flatMap((action) => [true, false].map((patient) => ({ resource, action, patient }))),
  )
  fc.assert(
    fc.property(grant, grant, (before, after) => {
      if (lostScopes(before, after).length > 0) return true
      const [was, is] = [parseScopes(before), parseScopes(after)]
      return needs.every(
        (need) => covers(was, need).kind !== 'all' || covers(is, need).kind === 'all',
      )
    }),
    { numRuns: 1000 },
  )
  t.end()
})

t.test('any string is read without a throw', (t) => {
  fc.assert(
    fc.property(fc.string({ maxLength: 200 }), (text) => {
      for (const scope of parseScopes(text)) if (!/^c?r?u?d?s?$/.test(scope.actions)) return false
      return true
    }),
  )
  t.end()
})

t.test('a record is held against a granular scope', (t) => {
  const system = 'http://terminology.hl7.org/CodeSystem/observation-category'
  const observation = {
    status: 'final',
    category: [{ coding: [{ system, code: 'vital-signs' }, { code: 'local' }] }],
    code: { coding: [{ system: 'http://loinc.org', code: '8867-4' }] },
  }
  const rows: [string, string, boolean][] = [
    ['category', 'vital-signs', true],
    ['category', `${system}|vital-signs`, true],
    ['category', 'laboratory,vital-signs', true],
    ['category', `${system}|`, true],
    ['category', '|local', true],
    ['category', '|vital-signs', false],
    ['category', '|', false],
    ['category', 'laboratory', false],
    ['category', `http://other|vital-signs`, false],
    ['status', 'final', true],
    ['status', 'amended', false],
    ['code', '8867-4', true],
    ['date', '2020', false],
    ['constructor', 'x', false],
    ['__proto__', 'x', false],
  ]
  for (const [name, value, expected] of rows) {
    t.equal(matchesToken(observation, 'Observation', { name, value }), expected, `${name}=${value}`)
  }
  t.ok(
    matchesScope(observation, 'Observation', [
      [{ name: 'category', value: 'laboratory' }],
      [
        { name: 'category', value: 'vital-signs' },
        { name: 'status', value: 'final' },
      ],
    ]),
  )
  t.strictSame(splitAlternatives('a\\,b,c'), ['a,b', 'c'])
  t.end()
})
