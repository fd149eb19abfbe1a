import { createRemoteJWKSet, jwtVerify } from 'jose'
import t from 'tap'
import { startSandbox } from '../../src/sandbox/sandbox.ts'
import { authorize, authorizeParameters, fhir, launchApp, pkce, redirectUri, token } from './app.ts'

const sandbox = await startSandbox()
t.teardown(() => sandbox.close())
t.beforeEach(() => sandbox.control.reset())
const amara = sandbox.patient('amara')

t.test('discovery names every endpoint and capability, without a token', async (t) => {
  const response = await fetch(`${sandbox.iss}/.well-known/smart-configuration`)
  const document = (await response.json()) as Record<string, unknown>
  t.match(document, {
    issuer: `${sandbox.origin}/oauth`,
    authorization_endpoint: `${sandbox.origin}/oauth/authorize`,
    token_endpoint: `${sandbox.origin}/oauth/token`,
    code_challenge_methods_supported: ['S256'],
    token_endpoint_auth_signing_alg_values_supported: ['RS384', 'ES384'],
  })
  t.ok((document['capabilities'] as string[]).includes('launch-ehr'))
  const openid = await fetch(`${String(document['issuer'])}/.well-known/openid-configuration`)
  t.match(await openid.json(), {
    issuer: document['issuer'],
    jwks_uri: document['jwks_uri'],
    token_endpoint: document['token_endpoint'],
  })
})

t.test(
  'a launch carries its context to the token response and a user to the id_token',
  async (t) => {
    const context = {
      patient: amara.id,
      encounter: amara.encounter ?? '',
      user: `Practitioner/${sandbox.clinicians[1]?.id ?? ''}`,
      intent: 'reconcile-medications',
      needPatientBanner: false,
      fhirContext: [{ reference: 'ImagingStudy/1' }],
      smartStyleUrl: 'http://127.0.0.1/style.json',
      tenant: 'north',
    }
    const answer = await launchApp(sandbox, 'openid fhirUser patient/*.rs', context)
    t.match(answer, {
      token_type: 'Bearer',
      expires_in: 3600,
      scope: 'launch openid fhirUser patient/*.rs',
      patient: context.patient,
      encounter: context.encounter,
      intent: context.intent,
      need_patient_banner: false,
      fhirContext: context.fhirContext,
      smart_style_url: context.smartStyleUrl,
      tenant: 'north',
    })
    t.notOk('refresh_token' in answer)
    const keys = createRemoteJWKSet(new URL(`${sandbox.origin}/oauth/jwks`))
    const { payload } = await jwtVerify(answer.id_token ?? '', keys, {
      issuer: `${sandbox.origin}/oauth`,
      audience: 'smart-bff-demo',
      algorithms: ['RS256'],
    })
    t.equal(payload['fhirUser'], `${sandbox.iss}/${context.user}`)
  },
)

t.test('authorization works by POST too, sets no cookie and names its issuer', async (t) => {
  const { launch } = sandbox.createLaunch({ patient: amara.id })
  const parameters = authorizeParameters(sandbox, 'launch', pkce().challenge, { launch })
  const { answer, cookies } = await authorize(sandbox, parameters, 'POST')
  t.ok(answer.get('code'))
  t.equal(answer.get('state'), 's'.repeat(43))
  t.equal(answer.get('iss'), `${sandbox.origin}/oauth`)
  t.same(cookies, [])
})

t.test('wrong authorization requests are refused', async (t) => {
  const faults: [string, Record<string, string | undefined>][] = [
    ['no aud', { aud: undefined }],
    ['aud with a slash more', { aud: `${sandbox.iss}/` }],
    ['aud of another server', { aud: 'https://other.example/fhir' }],
    ['no PKCE', { code_challenge: undefined, code_challenge_method: undefined }],
    ['plain PKCE', { code_challenge_method: 'plain' }],
    ['an unknown launch', { launch: 'made-up' }],
    ['the scope launch without a launch', { launch: undefined }],
    ['another response type', { response_type: 'token' }],
  ]
  for (const [name, changes] of faults) {
    const { launch } = sandbox.createLaunch({ patient: amara.id })
    const parameters = { launch, ...changes }
    const asked = authorizeParameters(sandbox, 'launch', pkce().challenge, parameters)
    const { answer } = await authorize(sandbox, asked)
    t.ok(answer.get('error'), name)
    t.notOk(answer.get('code'), name)
  }
})

t.test('an unregistered redirect address gets no redirect', async (t) => {
  const { launch } = sandbox.createLaunch({ patient: amara.id })
  for (const changes of [{ redirect_uri: `${redirectUri}/` }, { client_id: 'nobody' }]) {
    const asked = authorizeParameters(sandbox, 'launch', pkce().challenge, { launch, ...changes })
    const { status, answer } = await authorize(sandbox, asked)
    t.equal(status, 400)
    t.equal(answer.size, 0)
  }
})

t.test('a launch value works once', async (t) => {
  const { launch } = sandbox.createLaunch({ patient: amara.id })
  const asked = authorizeParameters(sandbox, 'launch', pkce().challenge, { launch })
  t.ok((await authorize(sandbox, asked)).answer.get('code'))
  t.equal((await authorize(sandbox, asked)).answer.get('error'), 'invalid_request')
})

t.test('a code works once, with its own verifier, address and client', async (t) => {
  const { verifier, challenge } = pkce()
  const { launch } = sandbox.createLaunch({ patient: amara.id })
  const asked = authorizeParameters(sandbox, 'launch patient/*.rs', challenge, { launch })
  const { answer } = await authorize(sandbox, asked)
  const form = {
    grant_type: 'authorization_code',
    code: answer.get('code') ?? '',
    redirect_uri: redirectUri,
    code_verifier: verifier,
    client_id: 'smart-bff-demo',
  }
  const wrong = await token(sandbox, { ...form, code_verifier: pkce().verifier })
  t.equal(wrong.body.error, 'invalid_grant')
  const elsewhere = await token(sandbox, { ...form, redirect_uri: 'http://localhost:3000/other' })
  t.equal(elsewhere.body.error, 'invalid_grant')
  const first = await token(sandbox, form)
  t.equal(first.status, 200)
  const second = await token(sandbox, form)
  t.equal(second.body.error, 'invalid_grant')
  const used = await fhir(sandbox, first.body, `/Patient/${amara.id}`)
  t.equal(used.status, 401, 'the second use ended what the first was given')
})

t.test('parallel launches keep their own patients', async (t) => {
  const six = sandbox.patients.slice(0, 6)
  const answers = await Promise.all(
    six.map(({ id }) => launchApp(sandbox, 'patient/Patient.r', { patient: id })),
  )
  t.same(
    answers.map(({ patient }) => patient),
    six.map(({ id }) => id),
  )
})

t.test('a standalone launch has a user, and the patient that was picked', async (t) => {
  t.notOk('patient' in (await standalone()))
  sandbox.control.set({ standalone: { patient: amara.id } })
  t.equal((await standalone())['patient'], amara.id)
})

async function standalone() {
  const { verifier, challenge } = pkce()
  const asked = authorizeParameters(sandbox, 'openid fhirUser user/Patient.rs', challenge)
  const { answer } = await authorize(sandbox, asked)
  const { body } = await token(sandbox, {
    grant_type: 'authorization_code',
    code: answer.get('code') ?? '',
    redirect_uri: redirectUri,
    code_verifier: verifier,
    client_id: 'smart-bff-demo',
  })
  return body
}
