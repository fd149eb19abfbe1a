import t from 'tap'
import { publicKeySet } from '../../../src/ehr/client-keys.ts'
import type { Finding } from '../../../src/cli/preflight/finding.ts'
import { judgeIssuerKeys, judgeOwnKeys } from '../../../src/cli/preflight/judge-keys.ts'
import { judgeAuthorization, judgeCallback } from '../../../src/cli/preflight/judge-redirect.ts'
import { judgeSupported, judgeUnneeded } from '../../../src/cli/preflight/judge-scopes.ts'
import { judgeStatement } from '../../../src/cli/preflight/judge-statement.ts'
import { type Raw, rawMode, testConfig } from '../../support/config.ts'

/** What preflight makes of each thing that an EHR or an ingress may say. */

function tenantWith(mode: Raw = {}) {
  const [tenant] = testConfig({ mode }).tenants
  if (tenant === undefined) throw new Error('no tenant')
  return tenant
}

const said = (findings: readonly Finding[], subject: RegExp): string => {
  const found = findings.find((one) => subject.test(one.subject))
  return found === undefined ? 'nothing' : `${found.outcome}: ${found.sentence}`
}

const patient = {
  type: 'Patient',
  versioning: 'versioned',
  interaction: ['read', 'update', 'search-type'].map((code) => ({ code })),
  searchParam: [{ name: 'name' }],
}
const statement = (resource: Raw, rest: Raw = {}) => ({
  resourceType: 'CapabilityStatement',
  fhirVersion: '4.0.1',
  rest: [{ mode: 'server', resource: [{ ...patient, ...resource }], ...rest }],
})
const rule = (members: Raw) =>
  tenantWith({
    allow: [{ feature: 'It', resource: 'Patient', interactions: ['read'], ...members }],
  })

const rules: readonly [name: string, rule: Raw, resource: Raw, rest: Raw, said: RegExp][] = [
  ['a read', {}, {}, {}, /^ok/],
  [
    'a search by a parameter of all types',
    { interactions: ['search-type'], search: ['_id'] },
    {},
    { searchParam: [{ name: '_id' }] },
    /^ok/,
  ],
  [
    'one that nobody lists',
    { interactions: ['search-type'], search: ['smell'] },
    {},
    {},
    /^fail: search by smell/,
  ],
  ['with a modifier', { interactions: ['search-type'], search: ['name:exact'] }, {}, {}, /^ok/],
  ['an update with versions', { interactions: ['update'] }, {}, {}, /^ok/],
  [
    'an update without versions',
    { interactions: ['update'] },
    { versioning: 'no-version' },
    {},
    /^fail: Patient has no versions.*unversioned: true/,
  ],
  [
    'an update that knows of it',
    { interactions: ['update'], unversioned: true },
    { versioning: 'no-version' },
    {},
    /^ok/,
  ],
  [
    'an update of which nothing is said',
    { interactions: ['update'] },
    { versioning: undefined },
    {},
    /^warn: whether Patient has versions/,
  ],
  ['an upsert', { interactions: ['update'], upsert: true }, { updateCreate: true }, {}, /^ok/],
  [
    'an upsert that is none',
    { interactions: ['update'], upsert: true },
    { updateCreate: false },
    {},
    /^fail: an update of Patient creates nothing/,
  ],
  [
    'an interaction that is not offered',
    { interactions: ['vread'] },
    {},
    {},
    /^fail: Patient vread is not offered/,
  ],
  [
    'an include',
    { interactions: ['search-type'], include: ['Patient:organization'] },
    { searchInclude: ['Patient:organization'] },
    {},
    /^ok/,
  ],
  [
    'an include that is not listed',
    { interactions: ['search-type'], include: ['Patient:organization'] },
    {},
    {},
    /^warn: _include of Patient:organization/,
  ],
]

t.test('rules against the CapabilityStatement', (t) => {
  for (const [name, members, resource, rest, expected] of rules) {
    const findings = judgeStatement(rule(members), statement(resource, rest))
    t.match(said(findings, /It/), expected, name)
  }
  const others = tenantWith({
    allow: [
      { feature: 'Whole', operation: 'Patient/$everything', parameters: [] },
      { feature: 'Dashboard', bundle: ['batch'] },
    ],
  })
  const bare = judgeStatement(others, statement({}))
  t.match(said(bare, /Whole/), /^warn: Patient\/\$everything is not listed/)
  t.match(said(bare, /Dashboard/), /^fail: batch is not listed/)
  const rich = statement(
    { operation: [{ name: 'everything' }] },
    { interaction: [{ code: 'batch' }] },
  )
  t.match(said(judgeStatement(others, rich), /Whole/), /^ok/)
  t.match(said(judgeStatement(others, rich), /Dashboard/), /^ok/)
  const stu3 = judgeStatement(others, { ...rich, fhirVersion: '3.0.1' })
  t.match(said(stu3, /FHIR version/), /^fail: the EHR says 3\.0\.1, the tenant R4/)
  t.end()
})

t.test('our key set as somebody else sees it', (t) => {
  const tenant = tenantWith()
  const own = publicKeySet([tenant]).keys
  const kept = new Headers({ 'cache-control': 'max-age=300' })
  const judge = (keys: unknown, headers = kept, status = 200) =>
    judgeOwnKeys(tenant, 'https://app.example/jwks', {
      status,
      headers,
      body: JSON.stringify({ keys }),
    })
  t.match(said(judge(own), /s1/), /^ok/)
  t.match(said(judge(own, kept, 404), /jwks/), /^fail: answered 404/)
  t.match(said(judge([]), /jwks/), /^fail: holds no keys/)
  t.match(said(judge('none'), /jwks/), /^fail: holds no keys/)
  t.match(said(judge([{ kty: 'EC', kid: 'other' }]), /s1/), /^fail: not in the published set/)
  t.match(said(judge([...own, ...own]), /s1/), /^fail: its kid stands twice/)
  t.match(said(judge(own.map((key) => ({ ...key, x: 'AA' }))), /s1/), /^fail: another key/)
  t.match(
    said(judge(own.map((key) => ({ ...key, d: 'AA' }))), /jwks/),
    /^fail: PUBLISHES A PRIVATE/,
  )
  t.match(said(judge(own, new Headers()), /jwks/), /^warn: without Cache-Control/)
  const theirs = (status: number, body: string) =>
    said([judgeIssuerKeys('https://ehr.example/jwks', { status, contentType: '', body })], /jwks/)
  t.match(theirs(200, '{"keys":[{"kty":"RSA"}]}'), /^ok: 1 of the EHR \(RSA\)/)
  t.match(theirs(500, ''), /^fail: answered 500/)
  t.match(theirs(200, '<html>'), /^fail: holds no keys/)
  t.end()
})

t.test('the way back', (t) => {
  const uri = 'https://app.example/callback/north'
  const callback = (status: number, headers: Record<string, string>) =>
    said([judgeCallback(uri, { status, body: '', headers: new Headers(headers) })], /callback/)
  t.match(callback(400, { 'smart-bff-state': 'not_permitted' }), /^ok/)
  t.match(callback(404, { 'smart-bff-state': 'not_permitted' }), /^fail.*another configuration/)
  t.match(callback(400, {}), /^fail: answered 400, and not as smart-bff does/)
  const atEhr = (status: number, location?: string) =>
    said(
      [judgeAuthorization(uri, 'my-app', { status, contentType: '', body: '', location })],
      /EHR/,
    )
  t.match(atEhr(302, `${uri}?error=invalid_request&state=x`), /^ok: the EHR answers to it/)
  t.match(atEhr(303, 'https://ehr.example/login'), /^ok: the EHR goes on to its sign-in/)
  t.match(atEhr(302, '/login'), /^ok: the EHR goes on/)
  t.match(atEhr(200), /^warn/)
  t.match(atEhr(503), /^warn: the EHR answered 503/)
  t.match(atEhr(400), /^fail: refused with 400: is client my-app registered with exactly https/)
  t.end()
})

t.test('scopes that no rule needs, and scopes that the EHR does not list', (t) => {
  const [mode] = tenantWith({
    scopes: ['launch', 'openid', 'fhirUser', 'patient/Patient.rus', 'patient/*.r', 'user/Slot.r'],
    allow: rawMode()['allow'],
  }).modes
  if (mode === undefined) throw new Error('no mode')
  const unneeded = judgeUnneeded(mode)
  t.match(said(unneeded, /Patient\.rus/), /^warn: no rule needs "u" and "s"/)
  t.match(
    said(unneeded, /\*\.r/),
    /^warn: a wildcard, where the rules need only Patient, Observation/,
  )
  t.match(said(unneeded, /Slot/), /^warn: no rule needs it: leave it out/)
  const supported = (list: string) => judgeSupported(mode, mode.scopes, list.split(' '))
  const listed = supported('launch openid fhirUser patient/*.cruds user/*.read')
  t.match(said(listed, /chart/), /^ok/)
  const openid = 'http://openid.net/specs/openid-connect-core-1_0#openid'
  t.equal(
    supported(`${openid} launch patient/*.* user/*.read`).length,
    1,
    'fhirUser alone is absent',
  )
  t.match(said(supported('launch openid fhirUser'), /chart/), /^warn: the EHR lists no resource/)
  t.match(said(judgeSupported(mode, mode.scopes, []), /chart/), /^warn: the EHR lists no scopes/)
  t.end()
})
