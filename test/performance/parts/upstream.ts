import { createServer } from 'node:http'
import { createServer as createNetServer } from 'node:net'
import type { AddressInfo } from 'node:net'
import { createAuthorization } from './authorization.ts'

/** The fixed fast EHR of the bench: bodies made once, answered by path. Not the sandbox. */

const base = '/fhir/r4'

/** LOINC's codes of vital signs, with their units. */
const signs = [
  ['8867-4', 'Heart rate', 72.5, 'beats/minute', '/min'],
  ['9279-1', 'Respiratory rate', 16, 'breaths/minute', '/min'],
  ['8310-5', 'Body temperature', 36.8, 'degrees C', 'Cel'],
  ['59408-5', 'Oxygen saturation', 97, '%', '%'],
  ['29463-7', 'Body weight', 71.25, 'kg', 'kg'],
] as const

/** Each with values of its own, as records of a chart have them. */
function observation(index: number, origin: string): object {
  const id = `o${String(index)}`
  const [code, display, usual, unit, ucum] = signs[index % signs.length] ?? signs[0]
  const taken = new Date(Date.UTC(2026, 0, 1) - index * 7_654_321).toISOString()
  return {
    fullUrl: `${origin}${base}/Observation/${id}`,
    resource: {
      resourceType: 'Observation',
      id,
      meta: { versionId: String(1 + (index % 3)), lastUpdated: taken },
      status: 'final',
      category: [
        {
          coding: [
            {
              system: 'http://terminology.hl7.org/CodeSystem/observation-category',
              code: 'vital-signs',
              display: 'Vital Signs',
            },
          ],
        },
      ],
      code: { coding: [{ system: 'http://loinc.org', code, display }] },
      subject: { reference: 'Patient/p1' },
      encounter: { reference: `Encounter/e${String(1 + (index % 4))}` },
      effectiveDateTime: taken,
      valueQuantity: {
        value: usual + (index % 7) / 4,
        unit,
        system: 'http://unitsofmeasure.org',
        code: ucum,
      },
    },
    search: { mode: 'match' },
  }
}

function searchset(count: number, origin: string): Buffer {
  return Buffer.from(
    JSON.stringify({
      resourceType: 'Bundle',
      type: 'searchset',
      total: count,
      link: [
        { relation: 'self', url: `${origin}${base}/Observation?patient=p1` },
        { relation: 'next', url: `${origin}${base}?_getpages=1234&_getpagesoffset=20` },
      ],
      entry: Array.from({ length: count }, (_, index) => observation(index, origin)),
    }),
  )
}

function patient(): Buffer {
  return Buffer.from(
    JSON.stringify({
      resourceType: 'Patient',
      id: 'p1',
      meta: { versionId: '1', lastUpdated: '2026-01-01T00:00:00Z' },
      text: { status: 'generated', div: '<div>x</div>'.padEnd(420, 'y') },
      identifier: [{ system: 'urn:oid:1.2.36.146.595.217.0.1', value: '12345' }],
      name: [{ use: 'official', family: 'Synthetic', given: ['Only', 'For', 'Measuring'] }],
      telecom: [{ system: 'phone', value: '(03) 5555 6473', use: 'work', rank: 1 }],
      gender: 'female',
      birthDate: '1974-12-25',
      address: [{ line: ['534 Erewhon St'], city: 'PleasantVille', postalCode: '3999' }],
    }),
  )
}

/** What is not a FHIR read of the bench: authorization, and what surrounds it. */
const http = createServer((incoming, outgoing) => {
  authorization?.(incoming, outgoing).catch(() => outgoing.destroy())
})

/**
 * FHIR is answered on the plain socket, with bytes made once: the EHR shares a core with the load, and a proxy is to wait
 * for neither. A connection that asks for anything else goes to the server of the authorization, for good.
 */
const server = createNetServer({ noDelay: true }, (socket) => {
  socket.on('error', () => undefined)
  let before: Buffer = Buffer.alloc(0)
  const answer = (chunk: Buffer): void => {
    if (before.length > 65_536) socket.destroy()
    const request = before.length === 0 ? chunk : Buffer.concat([before, chunk])
    before = request
    const start = request.toString('latin1', 0, 200)
    const ended = request.toString('latin1', request.length - 4) === '\r\n\r\n'
    if (start.startsWith('GET ') && !ended) return
    before = Buffer.alloc(0)
    const found = answerTo(start)
    if (found !== undefined) {
      socket.write(found)
      return
    }
    socket.removeListener('data', answer)
    http.emit('connection', socket)
    socket.unshift(request)
    socket.resume()
  }
  socket.on('data', answer)
})
let authorization: Awaited<ReturnType<typeof createAuthorization>> | undefined
const answers = new Map<string, Buffer>()
// A proxy waits while the others have their round: its connections are not to be closed just as it goes on.
http.keepAliveTimeout = 600_000
server.listen(0, '127.0.0.1', () => void ready())

async function ready(): Promise<void> {
  const { port } = server.address() as AddressInfo
  const origin = `http://127.0.0.1:${String(port)}`
  authorization = await createAuthorization(origin)
  answers.set('1', whole(patient()))
  for (const count of [33, 165, 7200]) answers.set(String(count), whole(searchset(count, origin)))
  process.send?.({ origin })
}
process.on('disconnect', () => process.exit(0))

function whole(body: Buffer): Buffer {
  const head = [
    'HTTP/1.1 200 OK',
    'content-type: application/fhir+json;charset=utf-8',
    `content-length: ${String(body.length)}`,
    'etag: W/"1"',
    'date: Thu, 26 Nov 2026 12:00:00 GMT',
    'connection: keep-alive',
  ]
  return Buffer.concat([Buffer.from(`${head.join('\r\n')}\r\n\r\n`), body])
}

/** By the first line of the request. */
function answerTo(start: string): Buffer | undefined {
  if (start.startsWith(`GET ${base}/Patient/`)) return answers.get('1')
  return answers.get(/^GET [^ ]*[?&]_count=(\d+)/.exec(start)?.[1] ?? '')
}
