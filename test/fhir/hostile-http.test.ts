import { once } from 'node:events'
import { connect } from 'node:net'
import { gzipSync } from 'node:zlib'
import t from 'tap'
import { createWorld, launchId, respondWith } from './helper.ts'
import type { World } from './helper.ts'

/** HTTP as no client library writes it: framing, methods, media types and headers that other servers are confused by. */

const allow = [
  { feature: 'Banner', resource: 'Patient', interactions: ['read'] },
  { feature: 'Notes', resource: 'Observation', interactions: ['read', 'create', 'update'] },
]
const path = `/fhir/${launchId}`
const note = JSON.stringify({
  resourceType: 'Observation',
  subject: { reference: 'Patient/p1' },
})

async function open(t: { teardown(end: () => Promise<void>): void }): Promise<World> {
  const world = await createWorld({ mode: { allow } })
  t.teardown(() => world.close())
  world.ehr.answer = respondWith({ resourceType: 'Patient', id: 'p1' })
  return world
}

/** Writes the bytes as they are, and reads until the server has closed; answers the statuses, in their order. */
async function raw(world: World, lines: readonly string[], body = ''): Promise<string[]> {
  const { hostname, port } = new URL(world.ours)
  const socket = connect(Number(port), hostname)
  const headers = Object.entries(world.headers()).map(([name, value]) => `${name}: ${value}`)
  const [first = '', ...rest] = lines
  // Not ended: a browser that has ended its side has gone away.
  socket.setTimeout(10_000, () => socket.destroy())
  socket.write(
    `${[first, 'host: localhost', ...headers, ...rest].join('\r\n')}\r\n\r\n${body}`,
    'latin1',
  )
  const chunks: Buffer[] = []
  socket.on('data', (chunk: Buffer) => chunks.push(chunk))
  socket.on('error', () => undefined)
  await once(socket, 'close')
  const text = Buffer.concat(chunks).toString('latin1')
  return [...text.matchAll(/^HTTP\/1\.1 (\d{3})/gm)].map(([, status = '']) => status)
}

t.test('two requests in one, and bodies whose end is in doubt', async (t) => {
  const world = await open(t)
  const second = `DELETE ${path}/Observation/o1 HTTP/1.1\r\nhost: localhost\r\n\r\n`
  const json = 'content-type: application/fhir+json'
  const doubtful: [string, string[], string][] = [
    ['both lengths', ['content-length: 4', 'transfer-encoding: chunked'], `0\r\n\r\n${second}`],
    ['two lengths', ['content-length: 0', 'content-length: 5'], second],
    ['a signed length', ['content-length: +5'], second],
    ['an odd coding', ['transfer-encoding: xchunked'], second],
    ['a coding of two', ['transfer-encoding: chunked, identity'], second],
    ['a space before the colon', ['content-length : 5'], second],
    ['a folded header', ['x-a: b', ' content-length: 5'], second],
    ['a bad chunk', ['transfer-encoding: chunked'], 'zz\r\nx\r\n0\r\n\r\n'],
    ['a chunk that lies', ['transfer-encoding: chunked'], '2\r\nabcdef\r\n0\r\n\r\n'],
  ]
  for (const [name, headers, body] of doubtful) {
    const statuses = await raw(world, [`POST ${path}/Observation HTTP/1.1`, json, ...headers], body)
    t.ok(
      statuses.every((status) => status.startsWith('4')),
      `${name}: ${statuses.join()}`,
    )
  }
  const withBody = await raw(
    world,
    [`GET ${path}/Patient/p1 HTTP/1.1`, `content-length: ${second.length}`],
    second,
  )
  t.strictSame(withBody, ['400'], 'the body of a read is not the next request')
  t.equal(world.ehr.seen.length, 0)
  const chunked = `${note.length.toString(16)}\r\n${note}\r\n0\r\n\r\n`
  const sent = await raw(
    world,
    [`POST ${path}/Observation HTTP/1.1`, json, 'transfer-encoding: chunked', 'connection: close'],
    chunked,
  )
  t.strictSame(sent, ['502'], 'the EHR answered with another type')
  t.equal(world.ehr.seen[0]?.body, note, 'a body in chunks is a body')
})

t.test('methods that are none of FHIR', async (t) => {
  const world = await open(t)
  for (const method of [
    'TRACE',
    'OPTIONS',
    'PROPFIND',
    'COPY',
    'SEARCH',
    'QUERY',
    'LINK',
    'PURGE',
    'get',
    'BREW',
  ]) {
    const statuses = await raw(world, [
      `${method} ${path}/Patient/p1 HTTP/1.1`,
      'connection: close',
    ])
    t.ok(
      statuses.every((status) => status.startsWith('4')),
      `${method}: ${statuses.join()}`,
    )
  }
  t.equal(world.ehr.seen.length, 0)
})

t.test('media types and codings other than the one that can be judged', async (t) => {
  const world = await open(t)
  const types = [
    'application/fhir+json; charset=utf-16',
    'application/fhir+json; charset=utf-7',
    'application/fhir+json, text/plain',
    'application/fhir+xml',
    'application/x-fhir+json',
    'text/json',
    'multipart/form-data; boundary=x',
    'application/json-patch+json',
    '',
  ]
  const post = async (
    headers: Record<string, string>,
    body: string | Buffer = note,
  ): Promise<number> =>
    (await world.fetch(`${path}/Observation`, { method: 'POST', headers, body })).status
  for (const type of types) t.equal(await post({ 'content-type': type }), 400, type)
  const coded = { 'content-type': 'application/fhir+json', 'content-encoding': 'gzip' }
  t.equal(await post(coded, gzipSync(note)), 400, 'a body that unfolds')
  t.equal(await post({ ...coded, 'content-encoding': 'identity' }), 400)
  t.equal(world.ehr.seen.length, 0)
})

t.test('headers that would change what is asked go nowhere', async (t) => {
  const world = await open(t)
  const headers = {
    range: 'bytes=0-1',
    'if-range': '"x"',
    'if-modified-since': 'Thu, 01 Jan 2026 00:00:00 GMT',
    accept: 'application/fhir+xml',
    prefer: 'respond-async',
    authorization: 'Bearer stolen',
    'x-http-method-override': 'DELETE',
    'x-original-url': '/Patient/p2',
    'x-rewrite-url': '/Patient/p2',
    'x-forwarded-host': 'evil.example',
    'x-forwarded-prefix': '/evil',
    forwarded: 'host=evil.example',
    'cache-control': 'no-store',
    te: 'trailers',
  }
  const answer = await world.fetch(`${path}/Patient/p1?_format=json&_pretty=true`, { headers })
  t.equal(answer.status, 200)
  const [seen] = world.ehr.seen
  t.equal(seen?.url, '/fhir/r4/Patient/p1')
  t.equal(seen?.headers['accept'], 'application/fhir+json')
  t.equal(seen?.headers['authorization'], 'Bearer access-token-1')
  for (const name of Object.keys(headers)) {
    if (name !== 'accept' && name !== 'authorization') t.notOk(seen?.headers[name], name)
  }
  for (const format of [
    'xml',
    'application/fhir+xml',
    'ndjson',
    'text/turtle',
    'html',
    'json,xml',
  ]) {
    const other = await world.fetch(`${path}/Patient/p1?_format=${format}`)
    t.equal(other.status, 400, format)
  }
  t.equal(world.ehr.seen.length, 1)
})
