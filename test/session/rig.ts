import { request as httpRequest, type IncomingHttpHeaders } from 'node:http'
import type { FastifyInstance } from 'fastify'
import type { Test } from 'tap'
import type { AuditEvent } from '../../src/audit/event.ts'
import { Secret } from '../../src/config/secret.ts'
import { SmartBffError } from '../../src/errors.ts'
import { browserSession } from '../../src/session/browser-session.ts'
import { createSessionCookies, type SessionCookies } from '../../src/session/cookies.ts'
import { createJoin, type Join } from '../../src/session/join.ts'
import { browserRequests, launchRoutes } from '../../src/session/launch-routes.ts'
import { createOpenOwnLaunch, type FindPlace } from '../../src/session/own-launch.ts'
import { readPendingCookies, type PendingCookie } from '../../src/session/pending-cookies.ts'
import { createSessionRecords, type SessionRecords } from '../../src/session/session-records.ts'
import { createEmbeddedStore } from '../../src/store/embedded.ts'
import { createRedisStore } from '../../src/store/redis.ts'
import type { Store } from '../../src/store/store.ts'
import { createBindingVault } from '../../src/vault/bindings.ts'
import { createKeyRing } from '../../src/vault/key-ring.ts'
import type { LaunchRecord, LaunchUser } from '../../src/vault/record.ts'
import { createVault } from '../../src/vault/vault-store.ts'
import type { Vault } from '../../src/vault/vault.ts'
import type { Fault } from '../../src/web/error-handler.ts'
import { createPages } from '../../src/web/pages.ts'
import { createPublicServer } from '../../src/web/public-server.ts'
import { testConfig } from '../support/config.ts'
import { newSecretKey } from '../support/keys.ts'
import { startRedis } from '../support/redis.ts'
import { exampleRecord, newKey } from '../vault/example.ts'

/** The session station on real sockets, with a /callback that does nothing but join. */
export interface Rig {
  readonly app: FastifyInstance
  readonly origin: string
  readonly port: number
  readonly store: Store
  readonly vault: Vault
  readonly records: SessionRecords
  readonly cookies: SessionCookies
  readonly join: Join
  readonly events: AuditEvent[]
  readonly faults: Fault[]
  readonly revoked: string[]
  readonly clock: { now: number }
  /** The id of a session that has one launch, and the launch's id. */
  begin(): Promise<{ cookie: string; session: string; launch: string }>
}

export interface RigOptions {
  readonly store?: Store
  readonly secrets?: readonly Secret[]
  readonly routes?: (app: FastifyInstance, rig: Rig) => Promise<void>
  readonly publicOrigin?: string
  readonly revoke?: (record: LaunchRecord) => Promise<void>
}

export const stores: Readonly<Record<'embedded' | 'redis', (t: Test) => Promise<Store>>> = {
  embedded: async () => createEmbeddedStore({ now: Date.now }),
  redis: async (t) => {
    const redis = await startRedis()
    const store = createRedisStore({ config: { url: new Secret(redis.url) }, now: Date.now })
    t.teardown(async () => {
      await store.close()
      await redis.stop()
    })
    return store
  },
}

export const publicOrigin = 'https://app.hospital.example'
export const ownPage = {
  'sec-fetch-site': 'same-origin',
  'sec-fetch-mode': 'cors',
  'sec-fetch-dest': 'empty',
}
export const config = testConfig({ iss: 'http://127.0.0.1:9000/fhir/r4' })
const [tenant] = config.tenants
const [mode] = tenant?.modes ?? []
if (tenant === undefined || mode === undefined) throw new Error('the test configuration is empty')
export const find: FindPlace = (id, modeId) =>
  id === 'north' && modeId === 'chart' ? { tenant, mode } : undefined

export const userOf = (subject: string | undefined): LaunchUser => ({
  issuer: subject === undefined ? undefined : 'https://ehr.example',
  subject,
  fhirUser: undefined,
  kind: undefined,
})

export async function startRig(t: Test, options: RigOptions = {}): Promise<Rig> {
  const clock = { now: 0 }
  const now = (): number => Date.now() + clock.now
  const store = options.store ?? createEmbeddedStore({ now })
  const keyRing = createKeyRing([newKey('k1')])
  const session = { idleMs: 15 * 60_000, absoluteMs: 600 * 60_000 }
  const vault = createVault({ store, keyRing, now, session })
  const records = createSessionRecords({ store, keyRing, now, ...session })
  const cookies = createSessionCookies({
    secrets: options.secrets ?? [new Secret(newSecretKey())],
  })
  const join = createJoin({
    records,
    store,
    vault,
    cookies,
    bindings: createBindingVault({ store, keyRing }),
  })
  const events: AuditEvent[] = []
  const faults: Fault[] = []
  const revoked: string[] = []
  const audit = { record: async (event: AuditEvent) => void events.push(event) }
  const origin = options.publicOrigin ?? publicOrigin
  const app = await createPublicServer({
    publicOrigin: origin,
    trustProxy: [],
    fhirDoor: () => false,
    pages: createPages(),
    report: (fault) => void faults.push(fault),
  })
  const rig: Rig = {
    app,
    origin: '',
    port: 0,
    store,
    vault,
    records,
    cookies,
    join,
    events,
    faults,
    revoked,
    clock,
    begin: async () => {
      const own = pendingCookie()
      const ask = { cookieHeader: undefined, own, pendingCookies: [own], tenant: 'north' }
      const joined = await join({ ...ask, user: userOf('subject-of-user-1') })
      const launch = exampleRecord(own.value.slice(0, 32), now())
      await vault.create({ session: joined.session, launch: launch.launch }, launch)
      return {
        cookie: `__Host-smart-bff=${cookies.sign(joined.sessionId)}`,
        session: joined.session,
        launch: launch.launch,
      }
    },
  }
  await app.register(async (scope) => {
    scope.addHook('onRequest', browserRequests({ publicOrigin: origin, audit }))
    await scope.register(browserSession({ cookies, records, store, publicOrigin: origin }))
    await scope.register(
      launchRoutes({
        openOwnLaunch: createOpenOwnLaunch({ vault, find }),
        vault,
        records,
        audit,
        drafts: { forget: async () => undefined },
        readStyle: async () => null,
        now,
        revoke: options.revoke ?? (async (record) => void revoked.push(record.launch)),
      }),
    )
  })
  await app.register(async (scope) => {
    await scope.register(browserSession({ cookies, records, store, publicOrigin: origin }))
    await options.routes?.(scope, rig)
  })
  const address = await app.listen({ port: 0, host: '127.0.0.1' })
  t.teardown(() => app.close())
  return Object.assign(rig, { origin: address, port: Number(new URL(address).port) })
}

/** Counts writes, and fails where told. */
export function watched(store: Store): { store: Store; calls: string[]; failing: Set<string> } {
  const calls: string[] = []
  const failing = new Set<string>()
  const proxy = new Proxy(store, {
    get: (target, name, receiver) => {
      const value: unknown = Reflect.get(target, name, receiver)
      if (typeof value !== 'function' || typeof name !== 'string') return value
      return async (...parameters: unknown[]) => {
        calls.push(name)
        if (failing.has(name)) {
          throw new SmartBffError('STORE_UNAVAILABLE', { detail: 'redis down at 10.0.0.7' })
        }
        return Reflect.apply(value, target, parameters)
      }
    },
  })
  return { store: proxy, calls, failing }
}

export interface Answer {
  readonly status: number
  readonly headers: IncomingHttpHeaders
  readonly setCookies: readonly string[]
  readonly text: string
}

/** The raw client: sends exactly these headers and this target. */
export function ask(
  port: number,
  target: string,
  options: { method?: string; headers?: Record<string, string> } = {},
): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const request = httpRequest(
      { port, host: '127.0.0.1', path: target, agent: false, ...options },
      (response) => {
        let text = ''
        response.setEncoding('utf8')
        response.on('data', (chunk: string) => (text += chunk))
        response.on('end', () =>
          resolve({
            status: response.statusCode ?? 0,
            headers: response.headers,
            setCookies: response.headers['set-cookie'] ?? [],
            text,
          }),
        )
      },
    )
    request.on('error', reject)
    request.end()
  })
}

/** A /callback that joins and creates its launch, named by its own pending cookie. */
export async function joiningCallback(app: FastifyInstance, rig: Rig): Promise<void> {
  app.get<{ Querystring: { own: string; user?: string; tenant?: string } }>(
    '/callback',
    async (request, reply) => {
      const pendingCookies = readPendingCookies(request.headers.cookie)
      const own = pendingCookies.find(({ name }) => name === request.query.own)
      if (own === undefined) return reply.code(400).send({ error: 'own cookie missing' })
      const joined = await rig.join({
        cookieHeader: request.headers.cookie,
        own,
        pendingCookies,
        tenant: request.query.tenant ?? 'north',
        user: userOf(request.query.user),
      })
      const launch = exampleRecord(own.value.slice(0, 32), Date.now())
      const created = await rig.vault.create(
        { session: joined.session, launch: launch.launch },
        launch,
      )
      reply.header('set-cookie', [...joined.setCookies])
      return {
        launch: launch.launch,
        created,
        begun: joined.begun,
        session: joined.session,
        ended: joined.ended.map(({ record }) => record.launch),
      }
    },
  )
}

let drawn = 0

export function pendingCookie(): PendingCookie {
  drawn += 1
  const name = `__Host-smart-bff.tx.${Date.now().toString(36).padStart(9, '0')}${drawn.toString(16).padStart(8, '0')}`
  return { name, value: newSecretKey(), startedAt: Date.now() }
}
