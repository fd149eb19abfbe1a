import { createPublicKey } from 'node:crypto'
import { createLocalJWKSet, exportJWK, importSPKI, jwtVerify } from 'jose'
import t, { type Test } from 'tap'
import { publicKeySet } from '../../src/ehr/client-keys.ts'
import { createEhr } from '../../src/ehr/connection.ts'
import { json, listen, pem, testTenant } from './support.ts'

type Answer = { status?: number; body: unknown }

async function setUp(
  t: Test,
  client: Record<string, unknown>,
  quirks: Record<string, unknown> = {},
) {
  const state: { answer: Answer } = {
    answer: { body: { access_token: 'at-1', token_type: 'Bearer', scope: 'launch' } },
  }
  const server = await listen((heard, response) => {
    if (heard.path.endsWith('smart-configuration')) {
      return json(response, {
        issuer: 'https://issuer.example',
        authorization_endpoint: `${server.origin}/authorize?tenant=7`,
        token_endpoint: `${server.origin}/token`,
        revocation_endpoint: `${server.origin}/revoke`,
      })
    }
    if (heard.path === '/revoke') {
      response.writeHead(204)
      return response.end()
    }
    json(response, state.answer.body, state.answer.status)
  })
  const tenant = testTenant({ iss: `${server.origin}/fhir/r4`, client, quirks })
  const ehr = createEhr(tenant, {
    publicUrl: 'https://app.example',
    now: Date.now,
    onMoved: () => undefined,
  })
  t.teardown(async () => {
    await ehr.close()
    await server.close()
  })
  const exchange = () =>
    ehr.oauth.exchange({
      callbackUrl: new URL('https://app.example/callback/north?code=c0de&state=st'),
      state: 'st',
      verifier: 'v'.repeat(43),
    })
  const tokenRequest = () => {
    const heard = server.heard.findLast(({ path }) => path === '/token')
    return { headers: heard?.headers ?? {}, form: new URLSearchParams(heard?.body) }
  }
  return { server, tenant, ehr, exchange, tokenRequest, state }
}

const publicClient = { id: 'my-app', auth: 'none' }

t.test(
  'the authorization request has all that SMART asks for, and aud byte for byte',
  async (t) => {
    const { ehr, tenant } = await setUp(t, publicClient)
    const request = await ehr.oauth.authorization({
      redirectUri: 'https://app.example/callback/north',
      scope: 'launch openid',
      state: 'st',
      verifier: 'v'.repeat(43),
      launch: 'xyz+/=',
      nonce: undefined,
    })
    const query = Object.fromEntries(request.method === 'get' ? request.url.searchParams : [])
    t.match(query, {
      tenant: '7',
      response_type: 'code',
      client_id: 'my-app',
      redirect_uri: 'https://app.example/callback/north',
      scope: 'launch openid',
      state: 'st',
      launch: 'xyz+/=',
      code_challenge_method: 'S256',
    })
    t.equal(query['aud'], tenant.iss)
    t.match(query['code_challenge'], /^[A-Za-z0-9_-]{43}$/)
    t.notOk('nonce' in query || 'max_age' in query)
  },
)

t.test('a public client names itself in the body', async (t) => {
  const { exchange, tokenRequest } = await setUp(t, publicClient)
  t.match(await exchange(), { accessToken: 'at-1', scope: 'launch', refreshToken: undefined })
  const { form, headers } = tokenRequest()
  t.same(Object.fromEntries(form), {
    grant_type: 'authorization_code',
    client_id: 'my-app',
    code: 'c0de',
    redirect_uri: 'https://app.example/callback/north',
    code_verifier: 'v'.repeat(43),
  })
  t.equal(headers.authorization, undefined)
})

t.test(
  'client_secret_basic: the raw pair, and form-encoded where the vendor wants it',
  async (t) => {
    const client = { id: 'my-app', auth: 'client_secret_basic', secret: 'a/b-c.d' }
    const raw = await setUp(t, client)
    await raw.exchange()
    const credentials = (pair: string) => `Basic ${Buffer.from(pair).toString('base64')}`
    t.equal(raw.tokenRequest().headers.authorization, credentials('my-app:a/b-c.d'))
    t.equal(raw.tokenRequest().form.get('client_id'), null)

    const encoded = await setUp(t, client, { basicEncoding: 'form' })
    await encoded.exchange()
    t.equal(encoded.tokenRequest().headers.authorization, credentials('my-app:a%2Fb-c.d'))
  },
)

for (const alg of ['ES384', 'RS384', 'ES256', 'RS256'] as const) {
  t.test(`private_key_jwt with ${alg} is as SMART says`, async (t) => {
    const key = pem[alg]()
    const client = { id: 'my-app', auth: 'private_key_jwt', keys: [{ kid: 's1', alg, key }] }
    const { exchange, tokenRequest, server, tenant } = await setUp(t, client)
    await exchange()
    const first = tokenRequest().form
    await exchange()
    const second = tokenRequest().form
    t.equal(first.get('client_id'), null, 'no client_id beside an assertion')
    t.equal(
      first.get('client_assertion_type'),
      'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
    )
    const keySet = createLocalJWKSet({ keys: [...publicKeySet([tenant]).keys] })
    const { payload, protectedHeader } = await jwtVerify(
      first.get('client_assertion') ?? '',
      keySet,
      { issuer: 'my-app', subject: 'my-app', algorithms: [alg] },
    )
    t.same(protectedHeader, { alg, kid: 's1', typ: 'JWT' })
    t.equal(payload.aud, `${server.origin}/token`, 'the token URL as a plain string')
    t.ok((payload.exp ?? 0) - (payload.iat ?? 0) <= 300)
    t.equal(payload.nbf, undefined)
    t.ok((payload.jti ?? '').length > 20 && (payload.jti ?? '').length <= 151)
    t.not(first.get('client_assertion'), second.get('client_assertion'), 'jti is never reused')
  })
}

t.test('the published key set holds public members only', async (t) => {
  const keys = [
    { kid: 'e1', alg: 'ES384', key: pem.ES384() },
    { kid: 'r1', alg: 'RS384', key: pem.RS384() },
  ]
  const tenant = testTenant({ client: { id: 'my-app', auth: 'private_key_jwt', keys } })
  const [ec, rsa] = publicKeySet([tenant, testTenant()]).keys
  t.same(Object.keys(ec ?? {}).toSorted(), ['alg', 'crv', 'kid', 'kty', 'use', 'x', 'y'])
  t.same(Object.keys(rsa ?? {}).toSorted(), ['alg', 'e', 'kid', 'kty', 'n', 'use'])
  const spki = createPublicKey(keys[0]?.key ?? '').export({ type: 'spki', format: 'pem' })
  const expected = await exportJWK(await importSPKI(spki, 'ES384'))
  t.match(ec, expected)
})

t.test('non-conformant answers are accepted in one place', async (t) => {
  const { exchange, state } = await setUp(t, publicClient)
  state.answer = {
    status: 201,
    body: {
      access_token: 'a',
      token_type: 'bearer',
      expires_in: null,
      refresh_token: null,
      scope: ['x'],
    },
  }
  t.match(await exchange(), { accessToken: 'a', expiresInSeconds: undefined, scope: 'x' })
})

t.test('a lifetime that makes no sense is none, and none is longer than a year', async (t) => {
  const { exchange, state } = await setUp(t, publicClient)
  const year = 31_536_000
  const rows: readonly [said: unknown, seconds: number | undefined][] = [
    [570, 570],
    ['570', 570],
    [570.5, 570.5],
    [year, year],
    [1e300, year],
    ['9'.repeat(400), undefined],
    [0, undefined],
    ['', undefined],
    ['soon', undefined],
    [true, undefined],
  ]
  for (const [said, seconds] of rows) {
    state.answer = { body: { access_token: 'a', token_type: 'Bearer', expires_in: said } }
    // What openid-client itself refuses is no launch either.
    const issued = await exchange().catch(() => undefined)
    if (issued !== undefined) t.equal(issued.expiresInSeconds, seconds, JSON.stringify(said))
    if (seconds !== undefined) t.ok(issued, JSON.stringify(said))
  }
})

t.test('as a form, the endpoint keeps a query of its own, and none that is ours', async (t) => {
  const { ehr } = await setUp(t, publicClient, {
    authorizeMethod: 'post',
    endpoints: { authorization: 'http://127.0.0.1:1/authorize?tenant=7&client_id=other&state=x' },
  })
  const request = await ehr.oauth.authorization({
    redirectUri: 'https://app.example/callback/north',
    scope: 'launch openid',
    state: 'st',
    verifier: 'v'.repeat(43),
    launch: 'xyz',
    nonce: undefined,
  })
  if (request.method !== 'post') throw new Error('by GET')
  t.equal(request.action.href, 'http://127.0.0.1:1/authorize?tenant=7')
  t.match(Object.fromEntries(request.fields), { client_id: 'my-app', state: 'st', launch: 'xyz' })
  t.notOk(request.fields.some(([name]) => name === 'tenant'))
})

t.test('a token that could not stand in a header is refused', async (t) => {
  const { exchange, state } = await setUp(t, publicClient)
  for (const token of ['a\r\nx: y', 'a b', '', 7, null, 'é']) {
    state.answer = { body: { access_token: token, token_type: 'Bearer' } }
    await t.rejects(exchange(), { code: 'LAUNCH_TOKEN_INVALID' }, JSON.stringify(token))
  }
})

t.test('a foreign token type is refused', async (t) => {
  const { exchange, state } = await setUp(t, publicClient)
  state.answer = { body: { access_token: 'a', token_type: 'mac' } }
  await t.rejects(exchange(), { code: 'LAUNCH_TOKEN_INVALID' })
})

t.test('refusals and faults of the token endpoint', async (t) => {
  const { exchange, state, server } = await setUp(t, publicClient)
  state.answer = { status: 400, body: { error: 'invalid_grant', error_description: '<b>p1</b>' } }
  await t.rejects(exchange(), { code: 'LAUNCH_TOKEN_REFUSED', detail: 'invalid_grant' })
  state.answer = { status: 503, body: '<html>' }
  await t.rejects(exchange(), { code: 'LAUNCH_TOKEN_REFUSED', detail: 'status 503' })
  await server.close()
  await t.rejects(exchange(), { code: 'EHR_UNREACHABLE' })
})

t.test(
  'RFC 9207: an iss that is not the issuer ends the launch before any token request',
  async (t) => {
    const { ehr, server } = await setUp(t, publicClient)
    const ask = (iss: string) =>
      ehr.oauth.exchange({
        callbackUrl: new URL(`https://app.example/callback/north?code=c&state=st&iss=${iss}`),
        state: 'st',
        verifier: 'v'.repeat(43),
      })
    await t.rejects(ask('https://evil.example'), { code: 'LAUNCH_CALLBACK_INVALID' })
    t.notOk(server.heard.some(({ path }) => path === '/token'))
    t.match(await ask('https://issuer.example'), { accessToken: 'at-1' })
  },
)

t.test('RFC 9207: required where the tenant says so', async (t) => {
  const { exchange, server } = await setUp(t, publicClient, { callbackIss: 'required' })
  await t.rejects(exchange(), { code: 'LAUNCH_CALLBACK_INVALID' })
  t.notOk(server.heard.some(({ path }) => path === '/token'))
})

t.test('refresh: issued, refused for good, uncertain', async (t) => {
  const { ehr, state, server } = await setUp(t, publicClient)
  state.answer = { body: { access_token: 'at-2', token_type: 'Bearer', expires_in: '570' } }
  t.match(await ehr.oauth.refresh('rt-1'), {
    kind: 'issued',
    issued: {
      accessToken: 'at-2',
      expiresInSeconds: 570,
      refreshToken: undefined,
      scope: undefined,
    },
  })
  state.answer = { status: 401, body: { error: 'invalid_grant' } }
  t.match(await ehr.oauth.refresh('rt-1'), { kind: 'refused', error: 'invalid_grant' })
  state.answer = { status: 500, body: 'oops' }
  t.match(await ehr.oauth.refresh('rt-1'), { kind: 'uncertain' })
  // The SMART launcher sends an id_token without aud on refresh: it must not end the launch.
  state.answer = { body: { access_token: 'at-3', token_type: 'Bearer', id_token: 'a.b.c' } }
  t.match(await ehr.oauth.refresh('rt-1'), { kind: 'issued' })
  const heard = server.heard.length
  t.strictSame(await ehr.oauth.refresh('rt-1', () => false), { kind: 'unsent' })
  t.equal(server.heard.length, heard, 'what may not be sent any more is not sent')
  await server.close()
  t.match(await ehr.oauth.refresh('rt-1'), { kind: 'uncertain', reason: 'EHR_UNREACHABLE' })
})

t.test('revocation: 204 is as good as 200', async (t) => {
  const { ehr, server } = await setUp(t, publicClient)
  t.equal(await ehr.oauth.revoke('rt-1', 'refresh_token'), true)
  const form = new URLSearchParams(server.heard.at(-1)?.body)
  t.match(Object.fromEntries(form), { token: 'rt-1', token_type_hint: 'refresh_token' })
})
