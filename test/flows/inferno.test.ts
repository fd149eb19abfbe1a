import { createHash, createPublicKey } from 'node:crypto'
import { decodeJwt, decodeProtectedHeader, type JWK, jwtVerify } from 'jose'
import t, { type Test } from 'tap'
import type { LoggedRequest } from '../../src/sandbox/control/log.ts'
import { formatFault } from '../../src/config/fault.ts'
import { loadRaw, type Raw, rawConfig, rawMode } from '../support/config.ts'
import { startHospital, type Hospital } from '../support/hospital.ts'
import { newClientKey } from '../support/keys.ts'

/**
 * Every check of Inferno's client suite for SMART App Launch 2.2 (smart-conformance.md section 2), made on the
 * sandbox's request log: public, confidential symmetric, confidential asymmetric. A number behind @ is a requirement's.
 */

const id = 'my-app'
const scopes = [
  'openid',
  'fhirUser',
  'offline_access',
  'patient/Patient.rs',
  'patient/Observation.rs',
]
const modes = [
  rawMode({ scopes: ['launch', ...scopes] }),
  rawMode({ id: 'desk', launch: 'standalone', scopes: ['launch/patient', ...scopes] }),
]

interface Seen {
  readonly hospital: Hospital
  /** What the EHR put into the launch URL. */
  readonly launch: string
  /** Of the EHR launch and of the standalone one, in this order. */
  readonly authorizations: readonly LoggedRequest[]
  readonly exchanges: readonly LoggedRequest[]
  readonly refreshes: readonly LoggedRequest[]
  readonly tokens: readonly LoggedRequest[]
  /** Everything that the EHR gave out. */
  readonly issued: ReadonlySet<string>
}

/** 5.01 to 5.04: an EHR launch and a standalone one, each with reads and two refreshes; then the log is looked at. */
async function play(t: Test, client: Raw, quirks: Raw = {}): Promise<Seen> {
  const hospital = await startHospital({ tenant: { client, quirks, modes } })
  t.teardown(() => hospital.close())
  const { sandbox } = hospital
  const patient = sandbox.patient('amara').id
  sandbox.control.set({ standalone: { patient } })
  const given = sandbox.createLaunch({ patient })
  for (const door of [given.url, `${hospital.publicUrl}/launch/north/desk`]) {
    const browser = hospital.browser()
    const { url } = await browser.navigate(door)
    const launch = /\/app\/([\w-]+)\/$/.exec(url)?.[1] ?? ''
    const read = async (): Promise<void> => {
      await browser.fetch(`/fhir/${launch}/Patient/${patient}`)
    }
    await read()
    sandbox.control.revoke('access')
    await read()
    sandbox.control.revoke('access')
    await read()
  }
  const requests = sandbox.requests()
  const tokens = requests.filter(({ where }) => where === 'token')
  const ofKind = (kind: string): readonly LoggedRequest[] =>
    tokens.filter((request) => field(request, 'grant_type') === kind)
  const authorizations = requests.filter(({ where }) => where === 'authorize')
  const exchanges = ofKind('authorization_code')
  if (authorizations.length !== 2 || exchanges.length !== 2) throw new Error('not two launches')
  const refreshes = ofKind('refresh_token')
  const issued = new Set(sandbox.control.issued())
  const { launch } = given
  return { hospital, launch, authorizations, exchanges, refreshes, tokens, issued }
}

const field = ({ form }: LoggedRequest, name: string): string | undefined => form?.[name]?.[0]
const query = ({ query }: LoggedRequest, name: string): string | undefined => query[name]?.[0]

function checkRegistration(t: Test, { hospital }: Seen): void {
  const [tenant] = hospital.config.tenants
  const redirect = new URL(`${hospital.publicUrl}/callback/${tenant?.id ?? ''}`)
  t.equal(redirect.search + redirect.hash, '', 'one fixed redirect URI, fully specified @21')
  const launch = new URL(`${hospital.publicUrl}/launch`)
  t.equal(launch.search + launch.hash, '', 'one fixed launch URL, fully specified @20')
  const iss = 'https://ehr.example/fhir'
  const plain = rawConfig({ publicUrl: 'http://app.hospital.example', iss })
  const loaded = loadRaw({ ...plain, development: false })
  t.ok(
    !loaded.ok && loaded.faults.some((fault) => formatFault('x', fault).includes('publicUrl')),
    'over https, or production does not start @20 @21',
  )
}

/** 5.05 to 5.07. */
function checkAuthorizations(t: Test, seen: Seen): void {
  const [fromEhr, standalone] = seen.authorizations
  if (fromEhr === undefined || standalone === undefined) throw new Error('not two launches')
  for (const authorization of [fromEhr, standalone]) checkAuthorization(t, seen, authorization)
  const asked = (request: LoggedRequest): string | undefined => query(request, 'scope')
  t.equal(query(fromEhr, 'launch'), seen.launch, 'launch is the one that the EHR gave @35 @161')
  t.equal(query(standalone, 'launch'), undefined, 'and none where the EHR gave none')
  const needed = scopes.join(' ')
  t.equal(asked(fromEhr), `launch ${needed}`, 'scope is what the mode needs, and no more @37 @46')
  t.equal(asked(standalone), `launch/patient ${needed}`, 'in each mode @37 @46')
  t.not(query(fromEhr, 'state'), query(standalone, 'state'), 'a state of its own @2')
}

function checkAuthorization(t: Test, { hospital }: Seen, authorization: LoggedRequest): void {
  const said = (name: string): string | undefined => query(authorization, name)
  t.equal(authorization.method, 'GET', 'by GET, in the query @50 @51')
  t.equal(said('response_type'), 'code', 'response_type is code @32')
  t.equal(said('client_id'), id, 'client_id is the registered one @33')
  t.equal(
    said('redirect_uri'),
    `${hospital.publicUrl}/callback/north`,
    'redirect_uri is the registered one, character by character @34',
  )
  t.match(said('state'), /^[\w-]{43}$/, 'state is there, 256 bits @2 @3 @39 @40')
  t.equal(said('aud'), hospital.sandbox.iss, 'aud is the FHIR base exactly @41 @42')
  t.match(said('code_challenge'), /^[\w-]{43}$/, 'code_challenge is there @13 @44')
  t.equal(said('code_challenge_method'), 'S256', 'code_challenge_method is S256 @45')
  t.match(said('scope'), /(^| )openid fhirUser( |$)/, 'openid and fhirUser together @47 @195 @196')
  t.match(said('scope'), /(^| )offline_access( |$)/, 'offline_access as configured @216')
  t.equal(said('max_age'), undefined, 'max_age is never sent @211')
}

/** 5.08 to 5.10, what all clients have in common. */
function checkExchanges(t: Test, { authorizations, exchanges }: Seen): void {
  for (const [index, authorization] of authorizations.entries()) {
    const exchange = exchanges[index]
    if (exchange !== undefined) checkExchange(t, authorization, exchange)
  }
}

function checkExchange(t: Test, authorization: LoggedRequest, exchange: LoggedRequest): void {
  t.equal(exchange.method, 'POST', 'the exchange is a POST @62')
  t.match(
    exchange.headers['content-type'],
    /^application\/x-www-form-urlencoded/,
    'as a form @62 @234',
  )
  t.equal(field(exchange, 'grant_type'), 'authorization_code', 'grant_type @67')
  t.ok(field(exchange, 'code'), 'the code is the one that was issued @68')
  t.equal(exchange.status, 200, 'and the EHR took it @68')
  t.equal(
    field(exchange, 'redirect_uri'),
    query(authorization, 'redirect_uri'),
    'redirect_uri is that of the authorization request @69',
  )
  const verifier = field(exchange, 'code_verifier') ?? ''
  t.equal(
    createHash('sha256').update(verifier).digest('base64url'),
    query(authorization, 'code_challenge'),
    'code_verifier matches the challenge @70',
  )
  t.match(verifier, /^[\w~.-]{43,128}$/, 'RFC 7636 4.1')
}

function checkRefreshes(t: Test, { refreshes, issued }: Seen): void {
  t.equal(refreshes.length, 4)
  const sent = refreshes.map((request) => field(request, 'refresh_token'))
  t.ok(
    refreshes.every(({ status }) => status === 200),
    'grant_type=refresh_token is taken @105',
  )
  t.ok(
    sent.every((token) => token !== undefined && issued.has(token)),
    'with a refresh token of this work @106',
  )
  t.equal(new Set(sent).size, 4, 'each with the newest refresh token of its launch @106')
  t.ok(
    refreshes.every((request) => field(request, 'scope') === undefined),
    'without scope: the same scopes, never more @107 @108',
  )
}

/** 5.12: the token is used, in the header. */
function checkUse(t: Test, { hospital, issued }: Seen): void {
  const calls = hospital.sandbox.requests().filter(({ where }) => where === 'fhir')
  const used = calls.filter(({ status }) => status !== 401)
  t.ok(used.length >= 2, 'FHIR was asked')
  const known = new Set(
    [...issued].map((token) => createHash('sha256').update(token).digest('hex')),
  )
  t.ok(
    used.every(
      ({ authorization }) => authorization?.scheme === 'Bearer' && known.has(authorization.sha256),
    ),
    'with an access token of this work as Bearer @93 @264',
  )
  t.ok(calls.every(({ query }) => !('access_token' in query)))
}

t.test('public client', async (t) => {
  const seen = await play(t, { id, auth: 'none' })
  checkRegistration(t, seen)
  checkAuthorizations(t, seen)
  checkExchanges(t, seen)
  checkRefreshes(t, seen)
  for (const request of seen.tokens) {
    t.equal(field(request, 'client_id'), id, 'client_id is in the body @71')
    t.equal(request.authorization, undefined, 'and nothing is proved @12 @63')
    t.equal(field(request, 'client_secret'), undefined)
    t.equal(field(request, 'client_assertion'), undefined)
  }
  checkUse(t, seen)
})

t.test('confidential client, symmetric', async (t) => {
  const secret = 'my-app-secret-123'
  const seen = await play(t, { id, auth: 'client_secret_basic', secret })
  checkRegistration(t, seen)
  checkAuthorizations(t, seen)
  checkExchanges(t, seen)
  checkRefreshes(t, seen)
  const pair = Buffer.from(`${id}:${secret}`).toString('base64')
  const sha256 = createHash('sha256').update(pair).digest('hex')
  for (const request of seen.tokens) {
    t.match(
      request.authorization,
      { scheme: 'Basic', sha256 },
      'Basic of the raw pair, with the registered secret @23 @64 @66 @343 @345',
    )
    t.equal(field(request, 'client_id'), undefined, 'client_id is not in the body @72')
    t.equal(field(request, 'client_secret'), undefined)
  }
  checkUse(t, seen)
})

for (const alg of ['RS384', 'ES384'] as const) {
  t.test(`confidential client, asymmetric, ${alg}`, async (t) => {
    const keys = [{ kid: 'a1', alg, key: newClientKey(alg) }]
    const seen = await play(t, { id, auth: 'private_key_jwt', keys }, { includeJku: true })
    checkRegistration(t, seen)
    checkAuthorizations(t, seen)
    checkExchanges(t, seen)
    checkRefreshes(t, seen)
    const published = await checkKeySet(t, seen, alg)
    await checkAssertions(t, seen, alg, published)
    checkUse(t, seen)
  })
}

/** 1.01. */
async function checkKeySet(t: Test, { hospital }: Seen, alg: string): Promise<JWK> {
  const answer = await fetch(`${hospital.publicUrl}/.well-known/jwks.json`)
  t.equal(
    answer.status,
    200,
    'the key set is public, at one URL @22 @225 @291 @293 @298 @299 @301 @302',
  )
  t.match(answer.headers.get('cache-control'), /max-age=\d+/, 'with Cache-Control @303')
  const { keys } = (await answer.json()) as { keys: JWK[] }
  const [key] = keys
  if (key === undefined) throw new Error('no key')
  t.match(key, { kty: /^(RSA|EC)$/, kid: 'a1', alg }, 'a bare JWK with kty and kid @294 @313')
  if (key.kty === 'RSA') t.match(key, { n: String, e: String }, 'RSA: n and e @314')
  else t.match(key, { crv: 'P-384', x: String, y: String }, 'EC: crv, x and y @315')
  for (const member of ['d', 'p', 'q', 'dp', 'dq', 'qi', 'k']) {
    t.notOk(
      keys.some((one) => member in one),
      `no private ${member} @290 @295`,
    )
  }
  return key
}

/** 2.2. */
async function checkAssertions(
  t: Test,
  { hospital, tokens }: Seen,
  alg: 'RS384' | 'ES384',
  published: JWK,
): Promise<void> {
  const support = { RS384: '@308', ES384: '@309' }[alg]
  const tokenUrl = `${hospital.sandbox.origin}/oauth/token`
  const key = createPublicKey({ key: published, format: 'jwk' })
  const ids = new Set<string>()
  for (const request of tokens) {
    t.equal(
      field(request, 'client_assertion_type'),
      'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
      'client_assertion_type @333',
    )
    const assertion = field(request, 'client_assertion') ?? ''
    t.match(assertion, /^[\w-]+\.[\w-]+\.[\w-]+$/, 'client_assertion is a signed JWT @307 @334')
    const header = decodeProtectedHeader(assertion)
    t.equal(header.alg, alg, `signed with ${alg} ${support} @321`)
    t.equal(header.typ, 'JWT', 'typ is JWT @323')
    t.equal(header.kid, published.kid, 'kid is that of the published key @322')
    t.equal(
      header['jku'],
      `${hospital.publicUrl}/.well-known/jwks.json`,
      'jku, where it is sent, is the registered URL @324 @325',
    )
    const claims = decodeJwt(assertion)
    t.equal(claims.iss, id, 'iss is the client id @317 @327')
    t.equal(claims.sub, id, 'sub is the client id @328')
    t.equal(claims.aud, tokenUrl, 'aud is the token URL, one string @329')
    const { exp = 0, jti = '' } = claims
    const sentAt = Date.parse(request.at) / 1000
    t.type(claims.exp, 'number', 'exp is there @330')
    t.ok(exp > sentAt && exp <= sentAt + 300, 'exp is five minutes ahead at most @331')
    t.notOk(ids.has(jti), 'jti was never used before: a new JWT each time @233 @319 @332')
    t.ok(jti.length > 0 && jti.length <= 151)
    ids.add(jti)
    await t.resolves(
      jwtVerify(assertion, key, { algorithms: [alg], currentDate: new Date(request.at) }),
      'the signature is that of the published key @11 @64 @65 @320',
    )
    t.equal(field(request, 'client_id'), undefined, 'client_id is not in the body @72')
    t.equal(request.authorization, undefined)
  }
}
