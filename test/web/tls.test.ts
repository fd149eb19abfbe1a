import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { connect, type ConnectionOptions } from 'node:tls'
import t from 'tap'
import { Secret } from '../../src/config/secret.ts'
import { createTlsServer } from '../../src/web/tls.ts'
import { newCertificate } from '../support/certificate.ts'

/** TLS on our own listeners: all three are made by this one function. */

const { cert, key } = newCertificate()

/** The protocol and cipher that were agreed on; how the handshake ended where it failed. */
async function shakeHands(port: number, options: ConnectionOptions): Promise<string> {
  const socket = connect({ host: '127.0.0.1', port, servername: 'localhost', ca: cert, ...options })
  try {
    await once(socket, 'secureConnect')
    return `${socket.getProtocol() ?? ''} ${socket.getCipher().standardName}`
  } catch (error) {
    return (error as { code: string }).code
  } finally {
    socket.destroy()
  }
}

t.test('TLS 1.2 and 1.3, the stronger cipher first; nothing older', async (t) => {
  const server = createTlsServer(
    {},
    { cert: new Secret(cert), key: new Secret(key) },
    (_, response) => response.end(),
  )
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => server.close())
  const { port } = server.address() as AddressInfo
  t.match(await shakeHands(port, {}), /^TLSv1\.3 TLS_AES_/)
  t.match(await shakeHands(port, { maxVersion: 'TLSv1.2' }), /^TLSv1\.2 TLS_ECDHE_.*_GCM_/)
  const old = { minVersion: 'TLSv1', maxVersion: 'TLSv1.1', ciphers: 'DEFAULT@SECLEVEL=0' } as const
  t.equal(await shakeHands(port, old), 'ERR_SSL_TLSV1_ALERT_PROTOCOL_VERSION')
  // Its own order counts and not the client's; what does not encrypt is not spoken.
  const ours = {
    maxVersion: 'TLSv1.2',
    ciphers: 'ECDHE-ECDSA-AES128-SHA:ECDHE-ECDSA-AES128-GCM-SHA256',
  } as const
  t.match(await shakeHands(port, ours), /_GCM_/)
  const none = { maxVersion: 'TLSv1.2', ciphers: 'NULL-SHA256:@SECLEVEL=0' } as const
  t.match(await shakeHands(port, none), /^ERR_SSL_.*HANDSHAKE_FAILURE$/)
})
