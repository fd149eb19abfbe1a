import t from 'tap'
import { listGives } from '../../src/smart/scope-lists.ts'

const table: [list: string, scope: string, gives: boolean][] = [
  ['launch openid', 'launch', true],
  ['launch/patient', 'launch', false],
  ['patient/*.read', 'patient/Patient.rs', true],
  ['patient/Patient.Read', 'patient/Patient.rs', true],
  ['patient/Patient.r patient/Patient.s', 'patient/Patient.rs', true],
  ['patient/Patient.r', 'patient/Patient.rs', false],
  ['user/Patient.rs', 'patient/Patient.rs', false],
  ['patient/Observation.rs?category=x', 'patient/Observation.rs', false],
  ['patient/Observation.rs?category=x', 'patient/Observation.rs?category=x', true],
  ['patient/Observation.rs', 'patient/Observation.rs?category=x', true],
  ['', 'openid', false],
  ['http://openid.net/specs/openid-connect-core-1_0#openid', 'openid', true],
  ['http://smarthealthit.org/fhir/scopes/launch/patient', 'launch/patient', true],
  ['http://elsewhere.example/openid', 'openid', false],
]

for (const [list, scope, gives] of table) {
  t.equal(listGives(list.split(' '), scope), gives, `${list} for ${scope}`)
}
