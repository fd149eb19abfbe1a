import { createServer } from 'node:https'
import type { TLSSocket } from 'node:tls'
import t, { type Test } from 'tap'
import { Secret } from '../../src/config/secret.ts'
import { createIdentityProvider } from '../../src/staff/identity-provider.ts'
import { newCertificate } from '../support/certificate.ts'
import { startForwardProxy } from '../support/forward-proxy.ts'

/** How the staff's identity provider is reached: by a private authority, with a client certificate, through a proxy. */

const server = newCertificate()
const client = newCertificate()

async function startProvider(t: Test) {
  const seen: string[] = []
  const provider = createServer(
    { ...server, requestCert: true, ca: client.cert, rejectUnauthorized: false },
    (request, response) => {
      const { authorized } = request.socket as TLSSocket
      seen.push(`${String(request.url)} ${authorized ? 'with' : 'without'} a certificate`)
      response.setHeader('content-type', 'application/json')
      response.end(
        JSON.stringify({
          issuer,
          authorization_endpoint: `${issuer}/authorize`,
          token_endpoint: `${issuer}/token`,
          jwks_uri: `${issuer}/keys`,
        }),
      )
    },
  )
  await new Promise<void>((resolve) => provider.listen(0, '127.0.0.1', resolve))
  const { port } = provider.address() as { port: number }
  const issuer = `https://localhost:${port}`
  t.teardown(() => provider.close())
  const reach = (more: object) =>
    createIdentityProvider({
      issuer,
      clientId: 'smart-bff',
      clientSecret: new Secret('secret'),
      redirectUri: 'https://audit.hospital.example/sign-in/callback',
      insecure: false,
      ...more,
    }).begin(Date.now())
  return { seen, issuer, reach }
}

t.test('a certificate that nobody vouches for is refused', async (t) => {
  const { seen, reach } = await startProvider(t)
  await t.rejects(reach({}))
  t.same(seen, [])
})

t.test('a private authority and a client certificate', async (t) => {
  const { seen, issuer, reach } = await startProvider(t)
  const { location } = await reach({
    ca: new Secret(server.cert),
    clientCertificate: { cert: new Secret(client.cert), key: new Secret(client.key) },
  })
  t.ok(location.startsWith(`${issuer}/authorize?`))
  t.same(seen, ['/.well-known/openid-configuration with a certificate'])
})

t.test('through a proxy', async (t) => {
  const { issuer, seen, reach } = await startProvider(t)
  const proxy = await startForwardProxy()
  t.teardown(() => proxy.close())
  await reach({ ca: new Secret(server.cert), proxy: new Secret(proxy.url) })
  t.same(proxy.opened, [issuer.slice('https://'.length)])
  t.same(seen, ['/.well-known/openid-configuration without a certificate'])
})
