import fc from 'fast-check'
import t from 'tap'
import { requestedScopes } from '../../src/smart/requested-scopes.ts'
import { covers, parseScopes, type ScopeAction } from '../../src/smart/scopes.ts'

const table: [configured: string, sent: string][] = [
  ['launch openid fhirUser offline_access', 'launch openid fhirUser offline_access'],
  ['patient/Patient.r', 'patient/Patient.read'],
  ['patient/Patient.rs', 'patient/Patient.read'],
  ['patient/Observation.c', 'patient/Observation.write'],
  ['patient/Observation.crus', 'patient/Observation.read patient/Observation.write'],
  ['user/*.cruds', 'user/*.*'],
  ['patient/Patient.read user/*.*', 'patient/Patient.read user/*.*'],
  ['patient/Patient.r patient/Patient.s', 'patient/Patient.read'],
  ['launch/list?role=https://example.org/at-home', 'launch/list?role=https://example.org/at-home'],
]

t.test('version 2 goes out as it stands, version 1 in its own words', (t) => {
  for (const [configured, sent] of table) {
    t.equal(requestedScopes(configured.split(' '), 'v2').join(' '), configured)
    t.equal(requestedScopes(configured.split(' '), 'v1').join(' '), sent, configured)
  }
  t.end()
})

const letters: ScopeAction[] = ['c', 'r', 'u', 'd', 's']

t.test('what is asked in version 1 covers all that was configured', (t) => {
  const scope = fc
    .tuple(
      fc.constantFrom('patient', 'user'),
      fc.constantFrom('*', 'Observation', 'Patient'),
      fc.subarray(letters, { minLength: 1 }),
    )
    .map(([level, resource, actions]) => `${level}/${resource}.${actions.join('')}`)
  const needs = ['Observation', 'Patient', 'Condition'].flatMap((resource) =>
    letters.flatMap((action) => [true, false].map((patient) => ({ resource, action, patient }))),
  )
  fc.assert(
    fc.property(fc.array(scope, { maxLength: 5 }), (configured) => {
      const sent = requestedScopes(configured, 'v1')
      const [meant, asked] = [parseScopes(configured.join(' ')), parseScopes(sent.join(' '))]
      return (
        sent.every((word) => /\.(read|write|\*)$/.test(word)) &&
        needs.every(
          (need) => covers(meant, need).kind === 'none' || covers(asked, need).kind === 'all',
        )
      )
    }),
    { numRuns: 500 },
  )
  t.end()
})
