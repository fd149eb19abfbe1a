import { createServer, request as httpRequest } from 'node:http'
import type { IncomingHttpHeaders, IncomingMessage, Server, ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { AuditEvent } from '../../src/audit/event.ts'
import { tenant as tenantSchema } from '../../src/config/schema/tenant.ts'
import type { Tenant } from '../../src/config/schema/tenant.ts'
import { Secret } from '../../src/config/secret.ts'
import { SmartBffError } from '../../src/errors.ts'
import type { FhirDeps } from '../../src/fhir/deps.ts'
import { createFhirDoor } from '../../src/fhir/door.ts'
import { createAwayJudge } from '../../src/fhir/away/away-judge.ts'
import { createLinks } from '../../src/fhir/links.ts'
import { createUpstreams } from '../../src/fhir/upstreams.ts'
import { createViews } from '../../src/fhir/view.ts'
import type { LaunchView } from '../../src/fhir/view.ts'
import { createSessionCookies } from '../../src/session/cookies.ts'
import { createEmbeddedStore } from '../../src/store/embedded.ts'
import { createLaunchRate } from '../../src/fhir/resilience/launch-rate.ts'
import { hashSession } from '../../src/vault/names.ts'
import type { LaunchRecord } from '../../src/vault/record.ts'
import type { OpenLaunch, Opening } from '../../src/vault/vault.ts'

/** The proxy over real sockets: a browser's request, our door, a small EHR of node:http. */

export const launchId = 'launch-0123456789abcdef'
export const sessionId = 's'.repeat(43)
const key = new Secret(Buffer.alloc(32, 7).toString('base64url'))

export interface World {
  readonly tenant: Tenant
  readonly deps: FhirDeps
  /** Origin of our own listener. */
  readonly ours: string
  /** The session's, as a browser sends it. */
  readonly cookie: string
  readonly ehr: Ehr
  readonly audited: AuditEvent[]
  /** What the guard found in an answer, beside the record of the request. */
  readonly findings: AuditEvent[]
  readonly faults: unknown[]
  record: LaunchRecord
  opening: Opening | undefined
  auditFails: boolean
  /** How often a newer token was asked for after a 401. */
  refusals: number
  /** How often that one was refused too. */
  refusedAgain: number
  /** What our page sends with each request. */
  headers(): Record<string, string>
  fetch(path: string, options?: AskOptions): Promise<Answer>
  close(): Promise<void>
}

export interface AskOptions {
  readonly method?: string
  readonly headers?: Record<string, string>
  readonly body?: string | Buffer
}

export interface Answer {
  readonly status: number
  readonly headers: IncomingHttpHeaders
  readonly body: Buffer
  readonly text: string
  // A test looks at members as it pleases.
  // oxlint-disable-next-line typescript/no-explicit-any
  json(): any
}

export interface Ehr {
  readonly base: string
  readonly seen: { method: string; url: string; headers: IncomingHttpHeaders; body: string }[]
  answer: (incoming: IncomingMessage, outgoing: ServerResponse, body: string) => void
}

export const allRules = [
  { feature: 'Banner', resource: 'Patient', interactions: ['read', 'search-type'] },
  {
    feature: 'Vitals',
    resource: 'Observation',
    interactions: ['read', 'vread', 'search-type'],
    search: ['category', 'code', 'date', '_count', '_sort', '_elements', 'performer', 'code:in'],
    include: ['Observation:encounter', 'Observation:performer:Practitioner', 'Provenance:target'],
  },
  { feature: 'Staff', resource: 'Practitioner', interactions: ['read', 'search-type'] },
  { feature: 'Visits', resource: 'Encounter', interactions: ['read', 'search-type'] },
  {
    feature: 'Medication',
    resource: 'MedicationRequest',
    interactions: ['read', 'search-type'],
    search: ['status', '_count'],
  },
]

export interface WorldOptions {
  readonly patient?: string | undefined
  readonly granted?: string
  /** FHIR requests of the launch. */
  readonly perMinute?: number
  readonly mode?: Record<string, unknown>
  readonly tenant?: Record<string, unknown>
}

export function makeTenant(iss: string, options: WorldOptions = {}): Tenant {
  return tenantSchema.parse({
    id: 'north',
    name: 'North Hospital',
    iss,
    client: { id: 'abc', auth: 'none' },
    modes: [
      {
        id: 'chart',
        launch: 'ehr',
        user: 'any',
        patient: 'required',
        scopes: ['launch'],
        allow: allRules,
        ...options.mode,
      },
    ],
    ...options.tenant,
  })
}

export function makeRecord(options: WorldOptions = {}): LaunchRecord {
  return {
    schema: 1,
    launch: launchId,
    tenant: 'north',
    mode: 'chart',
    state: 'active',
    user: {
      issuer: undefined,
      subject: undefined,
      fhirUser: 'Practitioner/7',
      kind: 'practitioner',
    },
    context: {
      patient: 'patient' in options ? options.patient : 'p1',
      encounter: undefined,
      fhirContext: [],
      intent: undefined,
      needPatientBanner: true,
      styleUrl: undefined,
      tenant: undefined,
    },
    scopes: { requested: '', granted: options.granted ?? 'patient/*.cruds user/*.cruds' },
    tokens: {
      access: 'access-token-1',
      receivedAt: 0,
      accessExpiresAt: undefined,
      refresh: undefined,
    },
    startedAt: 0,
    absoluteAt: Number.MAX_SAFE_INTEGER,
  }
}

export function makeView(options: WorldOptions = {}): LaunchView {
  const tenant = makeTenant('https://ehr.example/fhir/r4', options)
  const view = createViews([tenant]).of(makeRecord(options))
  if (view === undefined) throw new Error('no view')
  return view
}

export async function createWorld(options: WorldOptions = {}): Promise<World> {
  const ehr = await startEhr()
  const tenant = makeTenant(ehr.base, options)
  const cookies = createSessionCookies({ secrets: [key] })
  const audited: AuditEvent[] = []
  const findings: AuditEvent[] = []
  const faults: unknown[] = []
  const upstreams = createUpstreams([tenant])
  const away = createAwayJudge()
  const opened = (): OpenLaunch => ({ record: world.record, version: 1, idleAt: 0 })

  const deps: FhirDeps = {
    publicUrl: 'http://localhost:3000',
    startedAt: '2026-01-01T00:00:00Z',
    cookies,
    rate: createLaunchRate(
      () => options.perMinute ?? 6000,
      () => performance.now(),
    ),
    vault: {
      open: async ({ session, launch }) => {
        if (session !== hashSession(sessionId) || launch !== launchId) return { kind: 'missing' }
        return world.opening ?? { kind: 'open', launch: opened() }
      },
    },
    tokens: {
      current: async () => opened(),
      afterRefusal: async () => {
        world.refusals += 1
        const tokens = { ...world.record.tokens, access: 'access-token-2' }
        world.record = { ...world.record, tokens }
        return opened()
      },
      triedAgain: async (_, __, status) => {
        if (status === 401) world.refusedAgain += 1
      },
    },
    audit: {
      record: async (event) => {
        if (world.auditFails) throw new SmartBffError('AUDIT_UNAVAILABLE')
        await new Promise((resolve) => setImmediate(resolve))
        if (event.event === 'guard.finding') findings.push(event)
        else audited.push(event)
      },
      healthy: () => true,
      close: async () => undefined,
    },
    views: createViews([tenant]),
    links: createLinks([{ id: 'k1', secret: key }]),
    upstreams,
    away,
    store: createEmbeddedStore({ now: Date.now }),
    clientAddress: (incoming) => incoming.socket.remoteAddress ?? '',
    log: { fault: (error) => faults.push(error) },
  }
  const door = createFhirDoor(deps)
  const server = createServer((incoming, outgoing) => {
    if (door(incoming, outgoing)) return
    outgoing.writeHead(418)
    outgoing.end('not ours')
  })
  await listen(server)
  const ours = `http://127.0.0.1:${portOf(server)}`

  const world: World = {
    tenant,
    deps,
    ours,
    cookie: sessionCookie(),
    ehr,
    audited,
    findings,
    faults,
    record: makeRecord(options),
    opening: undefined,
    auditFails: false,
    refusals: 0,
    refusedAgain: 0,
    headers: () => ({ 'smart-bff': '1', cookie: sessionCookie() }),
    fetch: (path, ask = {}) =>
      send(ours, path, { ...ask, headers: { ...world.headers(), ...ask.headers } }),
    close: async () => {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
      await upstreams.close()
      await away.close()
      await ehr.close()
    },
  }
  return world

  function sessionCookie(): string {
    return `__Host-smart-bff=${cookies.sign(sessionId)}`
  }
}

async function startEhr(): Promise<Ehr & { close(): Promise<void> }> {
  const server = createServer((incoming, outgoing) => {
    const chunks: Buffer[] = []
    incoming.on('data', (chunk: Buffer) => chunks.push(chunk))
    incoming.on('end', () => {
      const body = Buffer.concat(chunks).toString('utf8')
      const { method = '', url = '', headers } = incoming
      ehr.seen.push({ method, url, headers, body })
      ehr.answer(incoming, outgoing, body)
    })
  })
  await listen(server)
  const ehr = {
    base: `http://127.0.0.1:${portOf(server)}/fhir/r4`,
    seen: [] as Ehr['seen'],
    answer: (_: IncomingMessage, outgoing: ServerResponse, _body: string) => {
      outgoing.writeHead(404, { 'content-type': 'application/fhir+json' })
      outgoing.end('{"resourceType":"OperationOutcome"}')
    },
    close: async () => {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
  return ehr
}

export function respondWith(
  body: unknown,
  status = 200,
  headers: Record<string, string> = {},
): Ehr['answer'] {
  return (_, outgoing) => {
    outgoing.writeHead(status, { 'content-type': 'application/fhir+json', ...headers })
    outgoing.end(typeof body === 'string' || Buffer.isBuffer(body) ? body : JSON.stringify(body))
  }
}

/** node:http sends a path as it is, which fetch would tidy up. */
export function send(origin: string, path: string, options: AskOptions = {}): Promise<Answer> {
  const { hostname, port } = new URL(origin)
  return new Promise((resolve, reject) => {
    const outgoing = httpRequest(
      {
        hostname,
        port,
        path,
        method: options.method ?? 'GET',
        headers: { ...options.headers },
        agent: false,
      },
      (incoming) => {
        const chunks: Buffer[] = []
        incoming.on('data', (chunk: Buffer) => chunks.push(chunk))
        incoming.on('error', reject)
        incoming.on('end', () => {
          const body = Buffer.concat(chunks)
          const text = body.toString('utf8')
          resolve({
            status: incoming.statusCode ?? 0,
            headers: incoming.headers,
            body,
            text,
            json: () => JSON.parse(text),
          })
        })
      },
    )
    outgoing.on('error', reject)
    outgoing.end(options.body)
  })
}

async function listen(server: Server): Promise<void> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
}

function portOf(server: Server): number {
  return (server.address() as AddressInfo).port
}
