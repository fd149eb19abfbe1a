import { generateKeyPair, exportJWK, SignJWT, type CryptoKey, type JWTPayload } from 'jose'
import t, { type Test } from 'tap'
import { createEhr } from '../../src/ehr/connection.ts'
import { createEhrHttp } from '../../src/ehr/http.ts'
import { createIdTokenKeys } from '../../src/ehr/id-token-keys.ts'
import { json, listen, testTenant } from './support.ts'

async function setUp(t: Test, quirks: Record<string, unknown> = {}) {
  const keys = await generateKeyPair('RS256')
  const stranger = await generateKeyPair('RS256')
  const published = [{ ...(await exportJWK(keys.publicKey)), kid: 'k1', alg: 'RS256', use: 'sig' }]
  const state = { keys: published, withJwksUri: true, keysAt: '/keys', down: false }
  const moved: string[] = []
  const server = await listen((heard, response) => {
    const { origin } = server
    if (state.down) return response.destroy()
    if (heard.path.endsWith('/smart-configuration')) {
      return json(response, {
        issuer: `${origin}/oauth2`,
        authorization_endpoint: `${origin}/authorize`,
        token_endpoint: `${origin}/token`,
        ...(state.withJwksUri ? { jwks_uri: `${origin}/keys` } : {}),
      })
    }
    if (heard.path === new URL(state.keysAt, origin).pathname)
      return json(response, { keys: state.keys })
    if (heard.path.endsWith('/openid-configuration')) {
      const issuer = origin + heard.path.replace('/.well-known/openid-configuration', '')
      return json(response, { issuer, jwks_uri: new URL(state.keysAt, origin).href })
    }
    json(response, {}, 404)
  })
  const expand = (value: unknown): unknown =>
    JSON.parse(JSON.stringify(value).replaceAll('ORIGIN', server.origin)) as unknown
  const tenant = testTenant({
    iss: `${server.origin}/fhir/r4`,
    quirks: Object.fromEntries(Object.entries(quirks).map(([k, v]) => [k, expand(v)])),
  })
  let offset = 0
  const ehr = createEhr(tenant, {
    publicUrl: 'https://app.example',
    now: () => Date.now() + offset,
    onMoved: (_tenant, endpoint) => moved.push(endpoint),
  })
  t.teardown(async () => {
    await ehr.close()
    await server.close()
  })
  const claims = (over: JWTPayload = {}): JWTPayload => ({
    iss: `${server.origin}/oauth2`,
    sub: 'dr-a',
    aud: 'my-app',
    fhirUser: 'Practitioner/7',
    iat: Math.floor(Date.now() / 1000),
    exp: Math.floor(Date.now() / 1000) + 300,
    ...over,
  })
  const sign = (payload: JWTPayload, key: CryptoKey = keys.privateKey, kid = 'k1') =>
    new SignJWT(payload).setProtectedHeader({ alg: 'RS256', kid }).sign(key)
  return { ehr, server, claims, sign, stranger, state, moved, later: (ms: number) => (offset = ms) }
}

const invalid = { code: 'LAUNCH_IDENTITY_INVALID' }

t.test('a good id_token tells who is signed in', async (t) => {
  const { ehr, server, claims, sign } = await setUp(t)
  t.same(await ehr.identity.verify(await sign(claims()), undefined), {
    issuer: `${server.origin}/oauth2`,
    subject: 'dr-a',
    fhirUser: 'Practitioner/7',
  })
})

t.test('a wrong id_token is nobody', async (t) => {
  const { ehr, claims, sign, stranger } = await setUp(t)
  const now = Math.floor(Date.now() / 1000)
  const wrong: Record<string, Promise<string>> = {
    'signed by a stranger': sign(claims(), stranger.privateKey),
    'another audience': sign(claims({ aud: 'other-app' })),
    'several audiences without azp': sign(claims({ aud: ['my-app', 'other-app'] })),
    'azp of another client': sign(claims({ azp: 'other-app' })),
    expired: sign(claims({ exp: now - 120 })),
    'no expiry': sign(Object.fromEntries(Object.entries(claims()).filter(([k]) => k !== 'exp'))),
    'no subject': sign(Object.fromEntries(Object.entries(claims()).filter(([k]) => k !== 'sub'))),
    'from the future': sign(claims({ nbf: now + 600 })),
    'not a JWT': Promise.resolve('abc'),
    oversized: Promise.resolve('a'.repeat(40_000)),
  }
  for (const [name, token] of Object.entries(wrong)) {
    await t.rejects(ehr.identity.verify(await token, undefined), invalid, name)
  }
  const [, payload, signature] = (await sign(claims())).split('.')
  const none = Buffer.from('{"alg":"none"}').toString('base64url')
  await t.rejects(ehr.identity.verify(`${none}.${payload}.`, undefined), invalid, 'alg none')
  await t.rejects(ehr.identity.verify(`${none}.${payload}.${signature}`, undefined), invalid)
})

t.test('nothing is fetched from an issuer that is not on the list', async (t) => {
  const { ehr, server, claims, sign } = await setUp(t)
  const before = server.heard.length
  const token = await sign(claims({ iss: `${server.origin}/evil` }))
  await t.rejects(ehr.identity.verify(token, undefined), invalid)
  const fetched = server.heard.slice(before).map(({ path }) => path)
  t.same(fetched, ['/fhir/r4/.well-known/smart-configuration'])
})

t.test(
  "Oracle's id_token issuer is not the discovery issuer: the tenant's list says so",
  async (t) => {
    const { ehr, server, claims, sign } = await setUp(t, {
      idTokenIssuers: ['ORIGIN/oidc/idsps/t1/'],
    })
    const token = await sign(claims({ iss: `${server.origin}/oidc/idsps/t1/` }))
    await t.rejects(
      ehr.identity.verify(await sign(claims()), undefined),
      invalid,
      'the list is whole',
    )
    // The test server answers with the issuer without its slash: an openid-configuration of another issuer.
    await t.rejects(ehr.identity.verify(token, undefined), invalid)
  },
)

t.test('without jwks_uri the keys are found through the openid-configuration', async (t) => {
  const { ehr, claims, sign, state } = await setUp(t)
  state.withJwksUri = false
  t.match(await ehr.identity.verify(await sign(claims()), undefined), { subject: 'dr-a' })
})

t.test('an issuer that is no address over TLS names no keys', async (t) => {
  const issuers = ['no address', 'file:///etc', 'urn:x']
  const { ehr, claims, sign } = await setUp(t, { idTokenIssuers: issuers })
  for (const iss of issuers) {
    await t.rejects(ehr.identity.verify(await sign(claims({ iss })), undefined), invalid, iss)
  }

  const server = await listen((_heard, response) => json(response, {}))
  // Its FHIR base is https, and so are its keys.
  const tenant = testTenant()
  const http = createEhrHttp(tenant)
  const keys = createIdTokenKeys({ tenant, http, now: Date.now, onMoved: () => undefined })
  await t.rejects(keys.locate(server.origin), invalid)
  t.same(server.heard, [], 'nothing is asked in the clear')
  await http.close()
  await server.close()
})

t.test('a new key is fetched when it appears, but not for every forged kid', async (t) => {
  const { ehr, server, claims, sign, state, later } = await setUp(t)
  await ehr.identity.verify(await sign(claims()), undefined)
  const next = await generateKeyPair('RS256')
  state.keys = [{ ...(await exportJWK(next.publicKey)), kid: 'k2', alg: 'RS256', use: 'sig' }]
  later(31_000)
  const token = await sign(claims(), next.privateKey, 'k2')
  t.match(await ehr.identity.verify(token, undefined), { subject: 'dr-a' })
  const before = server.heard.length
  for (const kid of ['x1', 'x2', 'x3']) {
    await t.rejects(
      ehr.identity.verify(await sign(claims(), next.privateKey, kid), undefined),
      invalid,
    )
  }
  t.equal(server.heard.length, before)
})

/** Signed as late as the server's clock says. */
const at = (ms: number): JWTPayload => {
  const now = Math.floor((Date.now() + ms) / 1000)
  return { iat: now, exp: now + 300 }
}

t.test('while the keys cannot be fetched, the old ones serve for a day', async (t) => {
  const { ehr, server, claims, sign, state, later } = await setUp(t)
  await ehr.identity.verify(await sign(claims()), undefined)
  state.down = true
  const minutes = (count: number): number => count * 60_000
  later(minutes(20))
  const late = await sign(claims(at(minutes(20))))
  t.match(await ehr.identity.verify(late, undefined), { subject: 'dr-a' })
  const asked = server.heard.length
  t.match(await ehr.identity.verify(late, undefined), { subject: 'dr-a' })
  t.equal(server.heard.length, asked, 'a server that is down is not asked for every launch')
  const foreign = await sign(claims(at(minutes(20))), undefined, 'k9')
  await t.rejects(
    ehr.identity.verify(foreign, undefined),
    { code: 'EHR_UNREACHABLE' },
    'a key that is not known is no forgery while nobody can say',
  )
  later(minutes(60 * 25))
  const tooLate = await sign(claims(at(minutes(60 * 25))))
  await t.rejects(ehr.identity.verify(tooLate, undefined), { code: 'EHR_UNREACHABLE' })
})

t.test('keys that move are followed within their origin, and no further', async (t) => {
  const { ehr, server, claims, sign, state, moved, later } = await setUp(t)
  state.withJwksUri = false
  await ehr.identity.verify(await sign(claims()), undefined)
  const hours = (count: number): number => count * 3_600_000
  state.keysAt = '/new/keys'
  later(hours(2))
  await ehr.identity.verify(await sign(claims(at(hours(2)))), undefined)
  t.equal(server.heard.at(-1)?.path, '/new/keys')
  state.keysAt = 'http://127.0.0.1:1/new/keys'
  later(hours(4))
  await ehr.identity.verify(await sign(claims(at(hours(4)))), undefined)
  t.same(moved, ['jwks_uri'], 'reported, not adopted')
})

t.test('keys that the tenant names are those of every issuer on its list', async (t) => {
  const { ehr, server, claims, sign } = await setUp(t, {
    idTokenIssuers: ['ORIGIN/oidc/idsps/t1/'],
    endpoints: { jwks: 'ORIGIN/keys' },
  })
  const token = await sign(claims({ iss: `${server.origin}/oidc/idsps/t1/` }))
  t.match(await ehr.identity.verify(token, undefined), { subject: 'dr-a' })
  t.notOk(server.heard.some(({ path }) => path.endsWith('/openid-configuration')))
})

t.test('a nonce that was sent must come back', async (t) => {
  const { ehr, claims, sign } = await setUp(t)
  t.match(await ehr.identity.verify(await sign(claims({ nonce: 'n1' })), 'n1'), { subject: 'dr-a' })
  await t.rejects(ehr.identity.verify(await sign(claims({ nonce: 'n2' })), 'n1'), invalid)
  await t.rejects(ehr.identity.verify(await sign(claims()), 'n1'), invalid)
})

t.test('profile is read where fhirUser is missing', async (t) => {
  const { ehr, claims, sign } = await setUp(t)
  const { fhirUser: _, ...rest } = claims()
  const token = await sign({ ...rest, profile: 'Practitioner/9' })
  t.match(await ehr.identity.verify(token, undefined), { fhirUser: 'Practitioner/9' })
})
