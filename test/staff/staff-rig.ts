import { randomBytes, scryptSync } from 'node:crypto'
import { createServer } from 'node:http'
import { once } from 'node:events'
import { Provider } from 'oidc-provider'
import { freePort } from '../support/http.ts'

/** A password in the form of the configuration, cheap enough for a test. */
export function phc(password: string): string {
  const salt = randomBytes(16)
  const hash = scryptSync(password, salt, 32, { N: 2 ** 12, r: 8, p: 1 })
  const text = (bytes: Buffer) => bytes.toString('base64').replaceAll('=', '')
  return `$scrypt$ln=12,r=8,p=1$${text(salt)}$${text(hash)}`
}

export const local = [
  { name: 'anna.auditor', passwordHash: phc('correct horse'), role: 'auditor' },
  { name: 'otto.operator', passwordHash: phc('battery staple'), role: 'operator' },
]

const groups: Readonly<Record<string, readonly string[]>> = {
  anna: ['privacy-office'],
  otto: ['service-desk'],
}

/** The hospital's identity provider: a real one, in which a login name says its groups. */
export async function startIdentityProvider(redirectUri: string) {
  const port = await freePort()
  const issuer = `http://localhost:${String(port)}`
  const provider = new Provider(issuer, {
    clients: [
      { client_id: 'smart-bff', client_secret: 'staff-secret', redirect_uris: [redirectUri] },
    ],
    conformIdTokenClaims: false,
    claims: { openid: ['sub'], profile: ['preferred_username', 'groups'], email: ['email'] },
    cookies: { keys: ['test'] },
    findAccount: (_context: unknown, id: string) => ({
      accountId: id,
      claims: () => ({
        sub: id,
        preferred_username: id,
        groups: groups[id.split('.')[0] ?? ''] ?? [],
      }),
    }),
  })
  const answer = provider.callback()
  const server = createServer((request, response) => void answer(request, response))
  server.listen(port, 'localhost')
  await once(server, 'listening')
  return {
    issuer,
    close: () => {
      server.close()
      server.closeAllConnections()
    },
  }
}

export async function staffOptions(more: object = {}) {
  const port = await freePort()
  const url = `http://localhost:${String(port)}`
  return {
    url,
    operations: { listen: { host: 'localhost', port }, publicUrl: url, staff: { local, ...more } },
  }
}
