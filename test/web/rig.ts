import type { FastifyInstance } from 'fastify'
import type { Test } from 'tap'
import type { Fault } from '../../src/web/error-handler.ts'
import { createPages } from '../../src/web/pages.ts'
import { createPublicServer, type PublicServerDeps } from '../../src/web/public-server.ts'

export interface WebRig {
  readonly app: FastifyInstance
  readonly port: number
  readonly faults: Fault[]
}

/** The public listener on a real socket, with the routes of the test. */
export async function startWeb(
  t: Test,
  routes: (app: FastifyInstance) => Promise<void>,
  options: Partial<PublicServerDeps> = {},
): Promise<WebRig> {
  const faults: Fault[] = []
  const app = await createPublicServer({
    publicOrigin: 'https://app.hospital.example',
    trustProxy: [],
    fhirDoor: () => false,
    pages: createPages(),
    report: (fault) => void faults.push(fault),
    ...options,
  })
  await routes(app)
  const address = await app.listen({ port: 0, host: '127.0.0.1' })
  t.teardown(() => app.close())
  return { app, faults, port: Number(new URL(address).port) }
}

export const navigation = {
  'sec-fetch-site': 'cross-site',
  'sec-fetch-mode': 'navigate',
  'sec-fetch-dest': 'iframe',
}
