import { createServer } from 'node:http'
import { Pool } from 'undici'

/** The yardstick: node:http and undici, nothing checked, nothing kept. */
const { ehr } = JSON.parse(process.argv[2] ?? '{}')
const pool = new Pool(ehr, { connections: 64, allowH2: false })
const forward = async (incoming, outgoing) => {
  const path = incoming.url.replace(/^\/fhir\/[^/]+/, '/fhir/r4')
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
  const { port } = server.address()
  process.send({ origin: `http://127.0.0.1:${port}`, launch: 'launch', headers: {} })
})
