import { generateKeyPairSync } from 'node:crypto'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tenant as tenantSchema, type Tenant } from '../../src/config/schema/tenant.ts'

/** A tenant through the real schema, from the few members a test cares about. */
export function testTenant(members: Record<string, unknown> = {}): Tenant {
  return tenantSchema.parse({
    id: 'north',
    name: 'North Hospital',
    iss: 'https://ehr.example/fhir/r4',
    client: { id: 'my-app', auth: 'none' },
    modes: [
      {
        id: 'chart',
        launch: 'ehr',
        user: 'practitioner',
        patient: 'required',
        scopes: ['launch', 'openid', 'fhirUser', 'patient/Patient.r'],
        allow: [],
      },
    ],
    ...members,
  })
}

const pkcs8 = { type: 'pkcs8', format: 'pem' } as const
const ec = (namedCurve: string) => () =>
  generateKeyPairSync('ec', { namedCurve }).privateKey.export(pkcs8)
const rsa = () => generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey.export(pkcs8)

export const pem = { ES384: ec('P-384'), ES256: ec('P-256'), RS384: rsa, RS256: rsa }

export interface TestServer {
  readonly origin: string
  close(): Promise<void>
}

export interface Heard {
  readonly method: string
  readonly path: string
  readonly headers: IncomingMessage['headers']
  readonly body: string
}

/** A small EHR on a real socket that answers as the test says and remembers what it heard. */
export async function listen(
  answer: (heard: Heard, response: ServerResponse) => void,
): Promise<TestServer & { heard: Heard[] }> {
  const heard: Heard[] = []
  const server = createServer((request, response) => {
    const chunks: Buffer[] = []
    request.on('data', (chunk: Buffer) => chunks.push(chunk))
    request.on('end', () => {
      const one = {
        method: request.method ?? '',
        path: request.url ?? '',
        headers: request.headers,
        body: Buffer.concat(chunks).toString(),
      }
      heard.push(one)
      answer(one, response)
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  return {
    origin: `http://127.0.0.1:${port}`,
    heard,
    close: () =>
      new Promise((resolve) => {
        server.closeAllConnections()
        server.close(() => resolve())
      }),
  }
}

export function json(response: ServerResponse, body: unknown, status = 200): void {
  response.writeHead(status, { 'content-type': 'application/json' })
  response.end(typeof body === 'string' ? body : JSON.stringify(body))
}
