import { createServer } from 'node:http'
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { Pool } from 'undici'
import { answerUsage } from './report.ts'

/** The yardstick: node:http and undici, nothing checked, nothing kept. */
const [origin = ''] = process.argv.slice(2)
const pool = new Pool(origin, { connections: 64, allowH2: false })
const forward = async (incoming: IncomingMessage, outgoing: ServerResponse): Promise<void> => {
  const path = (incoming.url ?? '').replace(/^\/fhir\/[^/]+/, '/fhir/r4')
  const { statusCode, headers, body } = await pool.request({
    path,
    method: 'GET',
    headers: { accept: 'application/fhir+json', authorization: 'Bearer x' },
  })
  outgoing.writeHead(statusCode, headers)
  body.pipe(outgoing)
}
const server = createServer((incoming, outgoing) => {
  forward(incoming, outgoing).catch(() => outgoing.destroy())
})
server.listen(0, '127.0.0.1', () => {
  const { port } = server.address() as AddressInfo
  answerUsage()
  process.send?.({ origin: `http://127.0.0.1:${String(port)}`, launch: 'launch', headers: {} })
})
