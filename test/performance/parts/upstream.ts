import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { createAuthorization } from './authorization.ts'

/** The fixed fast EHR of the bench: bodies made once, answered by path. Not the sandbox. */

const base = '/fhir/r4'

function observation(index: number, origin: string): object {
  const id = `o${String(index)}`
  return {
    fullUrl: `${origin}${base}/Observation/${id}`,
    resource: {
      resourceType: 'Observation',
      id,
      meta: { versionId: '1', lastUpdated: '2026-01-01T00:00:00Z' },
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
      code: { coding: [{ system: 'http://loinc.org', code: '8867-4', display: 'Heart rate' }] },
      subject: { reference: 'Patient/p1' },
      encounter: { reference: 'Encounter/e1' },
      effectiveDateTime: '2026-01-01T00:00:00Z',
      valueQuantity: {
        value: 72.5,
        unit: 'beats/minute',
        system: 'http://unitsofmeasure.org',
        code: '/min',
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

const server = createServer((incoming, outgoing) => {
  const url = incoming.url ?? ''
  const body = url.startsWith(`${base}/Patient/`) ? bodies.get('1') : bodies.get(countOf(url))
  if (body === undefined) {
    authorization?.(incoming, outgoing).catch(() => outgoing.destroy())
    return
  }
  outgoing.writeHead(200, {
    'content-type': 'application/fhir+json;charset=utf-8',
    'content-length': body.length,
    etag: 'W/"1"',
  })
  outgoing.end(body)
})
let authorization: Awaited<ReturnType<typeof createAuthorization>> | undefined
const bodies = new Map<string, Buffer>()
// A proxy waits while the others have their round: its connections are not to be closed just as it goes on.
server.keepAliveTimeout = 600_000
server.listen(0, '127.0.0.1', () => void ready())

async function ready(): Promise<void> {
  const { port } = server.address() as AddressInfo
  const origin = `http://127.0.0.1:${String(port)}`
  authorization = await createAuthorization(origin)
  bodies.set('1', patient())
  for (const count of [33, 165, 7200]) bodies.set(String(count), searchset(count, origin))
  process.send?.({ origin, sizes: [...bodies].map(([name, body]) => [name, body.length]) })
}
process.on('disconnect', () => process.exit(0))

function countOf(url: string): string {
  return /[?&]_count=(\d+)/.exec(url)?.[1] ?? ''
}
