import { generateKeyPairSync } from 'node:crypto'
import { decodeProtectedHeader, SignJWT } from 'jose'
import t, { type Test } from 'tap'
import type { LaunchInfo } from '../../src/browser/launch-info.ts'
import { parseScope } from '../../src/smart/scopes.ts'
import { rawMode, type Raw } from '../support/config.ts'
import { type Hospital, startHospital } from '../support/hospital.ts'

/** The items "Identity", "Context" and "Scopes" of the acceptance checklist, each under its name. */

/** Modes that differ in what they ask; a test launches into the one it needs. */
const modes = [
  rawMode(),
  rawMode({ id: 'anyone', user: 'any', patient: 'optional' }),
  rawMode({ id: 'no-openid', user: 'any', scopes: ['launch', 'patient/Patient.rs'] }),
]
const hospital = await startHospital({ tenant: { modes } })
t.teardown(() => hospital.close())
const { sandbox } = hospital
const { control } = sandbox
const patient = sandbox.patient('amara').id
t.beforeEach(() => control.reset())

async function open(mode: string) {
  const browser = hospital.browser()
  const url = new URL(sandbox.createLaunch({ patient }).url)
  url.pathname = `/launch/north/${mode}`
  const landed = await browser.navigate(url.href)
  const launch = /\/app\/([\w-]+)\/$/.exec(landed.url)?.[1] ?? ''
  const state = landed.response.headers.get('smart-bff-state')
  const info = async (): Promise<LaunchInfo> =>
    (await (await browser.fetch(`/launches/${launch}`)).json()) as LaunchInfo
  return { browser, launch, status: landed.response.status, state, info }
}

const idToken = (claims: Raw): void => void control.set({ idToken: claims })
/** An id_token that the EHR has just signed for this client. */
async function idTokenOf({ sandbox }: Hospital): Promise<string> {
  await open('anyone')
  const token = sandbox.control.issued().findLast((one) => one.split('.').length === 3)
  if (token === undefined) throw new Error('no id_token')
  return token
}

const answer = (merge: Raw, remove: readonly string[] = []): void =>
  void control.set({ tokenResponse: { merge, remove } })

async function refused(t: Test, name: string): Promise<void> {
  const { status, state } = await open('anyone')
  t.equal(status, 403, name)
  t.equal(state, 'not_permitted')
  t.match((await hospital.audit()).at(-1), { reason: 'LAUNCH_IDENTITY_INVALID' })
}

t.test('relative and absolute fhirUser', async (t) => {
  for (const fhirUser of ['Practitioner/7', `${sandbox.iss}/Practitioner/7`]) {
    idToken({ fhirUser })
    const { info } = await open('chart')
    t.match(await info(), { user: { fhirUser: 'Practitioner/7', kind: 'practitioner' } }, '@202')
  }
})

t.test('a fhirUser elsewhere is a name and no address', async (t) => {
  idToken({ fhirUser: 'http://127.0.0.1:1/other/Practitioner/7' })
  const { browser, launch, info } = await open('chart')
  t.match(await info(), { user: { kind: 'practitioner' } })
  const user = await browser.fetch(`/fhir/${launch}/Practitioner/7`)
  t.equal(user.status, 403, 'and is read only where a rule and a scope allow')
  t.same(
    sandbox.requests().filter(({ where }) => where === 'fhir'),
    [],
  )
})

t.test('iss mismatch', async (t) => {
  for (const iss of [`${sandbox.origin}/oauth/`, 'https://attacker.example', '', 7]) {
    idToken({ iss })
    await refused(t, String(iss))
  }
})

t.test('wrong aud', async (t) => {
  for (const aud of ['another-app', ['smart-bff-test', 'another-app'], null]) {
    idToken({ aud })
    await refused(t, String(aud))
  }
})

t.test('bad signature', async (t) => {
  const swap = (token: string): string => {
    const [header, body, signature = ''] = token.split('.')
    return [header, body, signature.split('').toReversed().join('')].join('.')
  }
  const part = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url')
  const claims = { iss: `${sandbox.origin}/oauth`, sub: 'x', aud: 'smart-bff-test' }
  const unsigned = `${part({ alg: 'none' })}.${part(claims)}.`
  const forged = swap(`${part({ alg: 'RS256' })}.${part(claims)}.c2lnbmF0dXJl`)
  const own = await idTokenOf(hospital)
  const [header = '', body = '', signature = ''] = own.split('.')
  const told = JSON.parse(Buffer.from(body, 'base64url').toString()) as Raw
  const other = part({ ...told, fhirUser: 'Practitioner/somebody-else' })
  const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
  const stranger = await new SignJWT(told)
    .setProtectedHeader(decodeProtectedHeader(own) as { alg: string })
    .sign(privateKey)
  const spoiled = [
    [header, other, signature].join('.'),
    [header, body, ''].join('.'),
    swap(own),
    stranger,
  ]
  answer({ id_token: own })
  t.equal((await open('anyone')).status, 200, 'the token as the EHR signed it')
  for (const token of [...spoiled, unsigned, forged, 'not.a.token', 'x']) {
    answer({ id_token: token })
    await refused(t, token.slice(0, 20))
  }
})

t.test('missing id_token tolerated when openid not granted', async (t) => {
  const { launch, info } = await open('no-openid')
  t.ok(launch)
  t.match(await info(), { patient, user: { fhirUser: null, kind: null } })
  answer({}, ['id_token'])
  t.equal((await open('chart')).state, 'not_permitted', 'but not where the mode is for a kind')
  control.reset()
  control.set({ grantedScopes: 'launch patient/Patient.rs patient/Observation.rs' })
  const ungranted = await open('anyone')
  t.match(await ungranted.info(), { patient, user: { kind: null } }, 'asked for, and not granted')
})

t.test('banner "true"/"false"/true/false/absent', async (t) => {
  for (const [said, shown] of [
    ['true', true],
    ['false', false],
    [true, true],
    [false, false],
    [null, true],
  ] as const) {
    answer({ need_patient_banner: said })
    t.equal((await (await open('chart')).info()).needPatientBanner, shown, String(said))
  }
})

t.test('fhirContext with role/canonical/identifier', async (t) => {
  const fhirContext = [
    { reference: 'ImagingStudy/1', role: 'https://roles.example/comparison' },
    { canonical: 'https://forms.example/q|1' },
    { identifier: { system: 'urn:oid:1.2', value: '17' }, type: 'Observation' },
  ]
  answer({ fhirContext: [...fhirContext, { role: 'x' }, 'text', { reference: 'a b' }] })
  t.same((await (await open('chart')).info()).fhirContext, fhirContext, '@191')
})

t.test('unknown extras dropped', async (t) => {
  answer({ '__epic.dstu2.patient': 'T1', loginDepartment: '17', access: { token: 'x' } })
  const { info } = await open('chart')
  t.notMatch(JSON.stringify(await info()), /dstu2|loginDepartment|"T1"/)
})

t.test('non-string patient', async (t) => {
  for (const wrong of [7, ['p1'], { id: 'p1' }, true, `Patient/${patient}`, null]) {
    answer({ patient: wrong })
    t.equal((await open('chart')).state, 'patient_context_missing', JSON.stringify(wrong))
  }
})

const spellings: readonly [name: string, granted: string, read: number, search: number][] = [
  ['v1', 'patient/Patient.read patient/Observation.read', 200, 200],
  ['v2', 'patient/Patient.r patient/Observation.s', 200, 200],
  ['granular', 'patient/Patient.r patient/Observation.rs?category=vital-signs', 200, 200],
  ['wildcard', 'patient/*.rs', 200, 200],
  ['wrong order', 'patient/Patient.sr patient/Observation.dus', 403, 403],
  ['case variants', 'Patient/patient.Read PATIENT/OBSERVATION.READ', 200, 200],
  [
    'URI prefix',
    'http://smarthealthit.org/fhir/scopes/patient/Patient.r http://smarthealthit.org/FHIR/scopes/patient/*.s',
    200,
    200,
  ],
  ['empty', '', 403, 403],
  ['missing', '-', 403, 403],
]

for (const [name, scope, read, search] of spellings) {
  t.test(name, async (t) => {
    // The sandbox goes on granting what was asked; the answer says otherwise.
    if (scope === '-') answer({}, ['scope'])
    else answer({ scope })
    const { browser, launch } = await open('anyone')
    const status = async (path: string): Promise<number> =>
      (await browser.fetch(`/fhir/${launch}/${path}`)).status
    t.equal(await status(`Patient/${patient}`), read, 'read')
    t.equal(await status('Observation?category=vital-signs&_count=1'), search, 'search')
    if (name === 'granular') {
      const other = await browser.fetch(`/fhir/${launch}/Observation?category=laboratory&_count=1`)
      t.match(await other.json(), { total: 0, entry: [] }, 'nothing of another category')
    }
  })
}

t.test('a scope that is not understood grants nothing', (t) => {
  for (const text of ['patient/Patient', 'patient/Patient.', 'patient/Nothing.r', 'launch']) {
    t.equal(parseScope(text), undefined, text)
  }
  t.end()
})
