import { decodeJwt, decodeProtectedHeader } from 'jose'
import t, { type Test } from 'tap'
import { createHash } from 'node:crypto'
import type { Vendor } from '../../src/config/schema/tenant.ts'
import type { Raw } from '../support/config.ts'
import { startHospital, type Hospital } from '../support/hospital.ts'
import { newClientKey } from '../support/keys.ts'

/** The items "Token" and "JWKS" of the acceptance checklist, each under its name. */

const id = 'smart-bff-test'
const clientKey = (kid: string, alg: 'ES384' | 'RS384'): Raw => ({
  kid,
  alg,
  key: newClientKey(alg),
})
const keyed = (...keys: Raw[]): Raw => ({ id, auth: 'private_key_jwt', keys })
const scopes = ['launch', 'openid', 'fhirUser', 'offline_access', 'patient/Patient.rs']

/** One launch and one refresh, and what the token endpoint heard of them. */
async function launched(t: Test, client: Raw, vendor: Vendor = 'generic') {
  const hospital = await startHospital({ tenant: { client }, mode: { scopes }, vendor })
  t.teardown(() => hospital.close())
  const { sandbox } = hospital
  const browser = hospital.browser()
  const patient = sandbox.patient('amara').id
  const { launch, trail } = await browser.launch({ patient })
  sandbox.control.revoke('access')
  const { status } = await browser.fetch(`/fhir/${launch}/Patient/${patient}`)
  if (status !== 200) throw new Error(`the refresh failed: ${status}`)
  const heard = sandbox.requests().filter(({ where }) => where === 'token')
  const [exchange, refresh] = heard.map(({ form = {}, headers, authorization }) => ({
    form: Object.fromEntries(Object.entries(form).map(([name, [value]]) => [name, value ?? ''])),
    headers,
    authorization,
  }))
  if (exchange === undefined || refresh === undefined) throw new Error('no refresh')
  return { hospital, sandbox, trail, exchange, refresh }
}

/** A rotation: each key signs while the other is published too. */
const [first, second] = [clientKey('s1', 'ES384'), clientKey('s2', 'RS384')]
const withFirst = await launched(t, keyed(first, second))
const withSecond = await launched(t, keyed(second, first))

t.test('verifier, redirect_uri, no client_id when confidential', async (t) => {
  const { sandbox, hospital, exchange } = withFirst
  const asked = sandbox.requests().find(({ where }) => where === 'authorize')
  const challenge = createHash('sha256')
    .update(exchange.form['code_verifier'] ?? '')
    .digest('base64url')
  t.same(asked?.query['code_challenge'], [challenge], 'the verifier of the challenge @70')
  t.equal(exchange.form['redirect_uri'], `${hospital.publicUrl}/callback/north`, '@69')
  t.same(
    Object.keys(exchange.form).toSorted(),
    [
      'client_assertion',
      'client_assertion_type',
      'code',
      'code_verifier',
      'grant_type',
      'redirect_uri',
    ],
    'no client_id @72',
  )
  t.match(exchange.headers['content-type'], /^application\/x-www-form-urlencoded/, '@62')

  const open = await launched(t, { id, auth: 'none' })
  t.equal(open.exchange.form['client_id'], id, 'a public client names itself @71')
  t.equal(open.refresh.form['client_id'], id)
})

t.test('RS384 and ES384 assertions', async (t) => {
  for (const [{ sandbox, exchange, refresh }, alg, kid] of [
    [withFirst, 'ES384', 's1'],
    [withSecond, 'RS384', 's2'],
  ] as const) {
    for (const { form } of [exchange, refresh]) {
      const assertion = form['client_assertion'] ?? ''
      t.same(decodeProtectedHeader(assertion), { alg, kid, typ: 'JWT' }, '@307 @321 @322 @323')
      const { iss, sub, aud } = decodeJwt(assertion)
      t.same({ iss, sub }, { iss: id, sub: id }, '@327 @328')
      t.equal(aud, `${sandbox.origin}/oauth/token`, 'the token URL as a plain string @329')
    }
  }
})

t.test('jti unique across exchange and refresh', async (t) => {
  const { exchange, refresh } = withFirst
  const ids = [exchange, refresh].map(({ form }) => decodeJwt(form['client_assertion'] ?? '').jti)
  t.equal(new Set(ids).size, 2, '@332')
  for (const jti of ids) t.ok(jti !== undefined && jti.length >= 22 && jti.length <= 151)
})

t.test('exp <= 300 s', async (t) => {
  const { exchange } = withFirst
  const { exp = 0, iat = 0, nbf } = decodeJwt(exchange.form['client_assertion'] ?? '')
  t.ok(exp - iat > 0 && exp - iat <= 300, '@330 @331')
  t.ok(exp - Date.now() / 1000 <= 300)
  t.equal(nbf, undefined, 'a clock that runs ahead makes no assertion early')
})

t.test('raw and URL-encoded Basic', async (t) => {
  const client = (secret: string): Raw => ({ id, auth: 'client_secret_basic', secret })
  const digest = (pair: string): string =>
    createHash('sha256').update(Buffer.from(pair).toString('base64')).digest('hex')
  const raw = await launched(t, client('plain-secret.1_2'))
  for (const { authorization, form } of [raw.exchange, raw.refresh]) {
    t.same(authorization, { scheme: 'Basic', sha256: digest(`${id}:plain-secret.1_2`) }, '@345')
    t.notOk('client_id' in form || 'client_secret' in form)
  }
  const encoded = await launched(t, client('this-is/2+7'), 'epic')
  t.equal(encoded.exchange.authorization?.sha256, digest(`${id}:this-is%2F2%2B7`))
})

t.test('client_secret_post: the pair in the body, and nowhere else', async (t) => {
  const client = { id, auth: 'client_secret_post', secret: 'plain-secret' }
  const { exchange, refresh } = await launched(t, client)
  for (const { form, authorization } of [exchange, refresh]) {
    t.match(form, { client_id: id, client_secret: 'plain-secret' })
    t.equal(authorization, undefined)
  }
})

const keySetOf = async (hospital: Hospital) => {
  const answer = await fetch(`${hospital.publicUrl}/.well-known/jwks.json`)
  return { answer, keys: ((await answer.json()) as { keys: readonly Raw[] }).keys }
}

t.test('GET without auth, Cache-Control', async (t) => {
  const { answer } = await keySetOf(withFirst.hospital)
  t.equal(answer.status, 200, '@301 @302')
  t.match(answer.headers.get('cache-control'), /max-age=\d+/, '@303')
  t.match(answer.headers.get('content-type'), /^application\/jwk-set\+json/)
  t.equal(answer.headers.get('set-cookie'), null)
})

t.test('two keys during rotation', async (t) => {
  for (const { hospital } of [withFirst, withSecond]) {
    const published = (await keySetOf(hospital)).keys.map(({ kid }) => String(kid))
    t.same(published.toSorted(), ['s1', 's2'], 'published before it is used, kept after @313')
  }
})

t.test('no private members (`d,p,q,dp,dq,qi`)', async (t) => {
  const { keys } = await keySetOf(withFirst.hospital)
  t.same(
    keys.map((key) => Object.keys(key).toSorted()),
    [
      ['alg', 'crv', 'kid', 'kty', 'use', 'x', 'y'],
      ['alg', 'e', 'kid', 'kty', 'n', 'use'],
    ],
    '@314 @315',
  )
})
