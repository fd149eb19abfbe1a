import { generateKeyPairSync, randomBytes, scryptSync } from 'node:crypto'
import { createServer, type RequestListener } from 'node:http'
import { createServer as createTlsServer } from 'node:https'
import { once } from 'node:events'
import { decodeJwt, SignJWT } from 'jose'
import { Provider } from 'oidc-provider'
import type { TestCertificate } from '../support/certificate.ts'
import { createCookieJar, freePort, plainFetch } from '../support/http.ts'

/** A password in the form of the configuration, cheap enough for a test. */
export function phc(password: string): string {
  const salt = randomBytes(16)
  const hash = scryptSync(password, salt, 32, { N: 2 ** 12, r: 8, p: 1 })
  const text = (bytes: Buffer) => bytes.toString('base64').replaceAll('=', '')
  return `$scrypt$ln=12,r=8,p=1$${text(salt)}$${text(hash)}`
}

export const credentials = {
  auditor: { name: 'anna.auditor', password: 'correct horse' },
  operator: { name: 'otto.operator', password: 'battery staple' },
} as const

export const local = [
  {
    name: credentials.auditor.name,
    passwordHash: phc(credentials.auditor.password),
    role: 'auditor',
  },
  {
    name: credentials.operator.name,
    passwordHash: phc(credentials.operator.password),
    role: 'operator',
  },
]

/** `operations` of a deployment whose staff come in by password; the site is where the replica says. */
export const withStaff = {
  listen: { host: '127.0.0.1', port: 0 },
  publicUrl: 'http://localhost:3001',
  staff: { local },
}

/** The cookie of a member who came in at this site. */
export async function signInAs(who: keyof typeof credentials, site: string): Promise<string> {
  const body = new URLSearchParams(credentials[who])
  const response = await fetch(`${site}/sign-in`, { method: 'POST', body, redirect: 'manual' })
  return response.headers.getSetCookie()[0]?.split(';')[0] ?? ''
}

/** Where a replica's staff site is. */
export const siteOf = (replica: { operations(): string }): string =>
  replica.operations().replace(/\/+$/, '')

const groups: Readonly<Record<string, readonly string[]>> = {
  anna: ['privacy-office'],
  otto: ['service-desk'],
}

/** What becomes of an ID token on its way; signed again with the provider's own key, or another. */
export interface Tampering {
  readonly claims?: Readonly<Record<string, unknown>>
  readonly without?: string
  readonly foreignKey?: boolean
}

const newKey = () => generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey

/**
 * The hospital's identity provider: a real one, in which a login name says its groups. With `tls` under the name in that
 * certificate.
 */
export async function startIdentityProvider(
  redirectUri: string,
  tls?: TestCertificate & { readonly name: string },
) {
  const port = await freePort()
  const issuer =
    tls === undefined ? `http://localhost:${String(port)}` : `https://${tls.name}:${String(port)}`
  const key = newKey()
  let tampering: Tampering | undefined
  const provider = new Provider(issuer, {
    clients: [
      { client_id: 'smart-bff', client_secret: 'staff-secret', redirect_uris: [redirectUri] },
    ],
    jwks: { keys: [{ ...key.export({ format: 'jwk' }), kid: 'one', use: 'sig', alg: 'RS256' }] },
    conformIdTokenClaims: false,
    claims: {
      openid: ['sub'],
      profile: ['preferred_username', 'groups', 'zoneinfo'],
      email: ['email'],
    },
    cookies: { keys: ['test'] },
    findAccount: (_context: unknown, id: string) => ({
      accountId: id,
      claims: () => ({
        sub: id,
        preferred_username: id,
        groups: groups[id.split('.')[0] ?? ''] ?? [],
        ...(id.endsWith('.abroad') ? { zoneinfo: 'Asia/Tokyo' } : {}),
      }),
    }),
  })
  provider.use(async (context, next) => {
    await next()
    const { body } = context
    if (context.path !== '/token' || tampering === undefined || !isTokenAnswer(body)) return
    context.body = { ...body, id_token: await tampered(body.id_token, tampering, key) }
  })
  const answer = provider.callback()
  const listener: RequestListener = (request, response) => void answer(request, response)
  const server = tls === undefined ? createServer(listener) : createTlsServer(tls, listener)
  server.listen(port, tls === undefined ? 'localhost' : '127.0.0.1')
  await once(server, 'listening')
  return {
    issuer,
    tamper: (next: Tampering | undefined) => {
      tampering = next
    },
    close: () => {
      server.close()
      server.closeAllConnections()
    },
  }
}

const isTokenAnswer = (body: unknown): body is { readonly id_token: string } =>
  typeof body === 'object' && body !== null && 'id_token' in body

function tampered(
  token: string,
  { claims = {}, without = '', foreignKey = false }: Tampering,
  own: ReturnType<typeof newKey>,
): Promise<string> {
  const { [without]: _left, ...kept } = decodeJwt(token)
  return new SignJWT({ ...kept, ...claims })
    .setProtectedHeader({ alg: 'RS256', kid: 'one' })
    .sign(foreignKey ? newKey() : own)
}

/** Goes through the provider's own pages as a browser would; answers where the provider sends it back to. */
export async function authorize(
  location: string,
  name: string,
  send?: typeof plainFetch,
): Promise<string> {
  const jar = createCookieJar(send)
  let response = await jar.fetch(location)
  for (let step = 0; step < 10; step += 1) {
    const next = response.headers.get('location')
    if (next !== null) {
      const url = new URL(next, location)
      if (url.pathname === '/sign-in/callback') return url.href
      response = await jar.fetch(url.href)
      continue
    }
    const page = await response.text()
    const action = /action="([^"]+)"/.exec(page)?.[1] ?? ''
    const prompt = /name="prompt" value="([^"]+)"/.exec(page)?.[1] ?? ''
    const body = new URLSearchParams({ prompt, login: name, password: 'any' }).toString()
    const headers = { 'content-type': 'application/x-www-form-urlencoded' }
    response = await jar.fetch(new URL(action, location).href, { method: 'POST', body, headers })
  }
  throw new Error('the provider never came back')
}

/** `operations` whose staff come in by this provider. */
export const withProvider = (port: number, { issuer }: { readonly issuer: string }) => ({
  listen: { host: 'localhost', port },
  publicUrl: `http://localhost:${String(port)}`,
  staff: {
    oidc: { issuer, clientId: 'smart-bff', clientSecret: 'staff-secret' },
    roles: { claim: 'groups', auditor: ['privacy-office'], operator: ['service-desk'] },
  },
})

export async function staffOptions(more: object = {}) {
  const port = await freePort()
  const url = `http://localhost:${String(port)}`
  return {
    url,
    operations: { listen: { host: 'localhost', port }, publicUrl: url, staff: { local, ...more } },
  }
}
