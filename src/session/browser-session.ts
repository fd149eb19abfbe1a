import cookiePlugin from '@fastify/cookie'
import sessionPlugin, { type SessionStore } from '@fastify/session'
import type { FastifyInstance, FastifyReply, FastifyRequest, Session } from 'fastify'
import fp from 'fastify-plugin'
import { callbackify } from 'node:util'
import { SmartBffError } from '../errors.ts'
import type { Store } from '../store/store.ts'
import { hashSession } from '../vault/names.ts'
import { isOwnSetCookie, sessionCookieName, setCookie, type SessionCookies } from './cookies.ts'
import type { SessionRecords } from './session-records.ts'

export interface BrowserSessionDeps {
  readonly cookies: SessionCookies
  readonly records: SessionRecords
  readonly store: Pick<Store, 'endSession'>
  /** The origin of publicUrl. */
  readonly publicOrigin: string
}

/** The live session of a request's browser, or undefined. `session` is the hash of its id. */
export function liveSession(request: FastifyRequest): string | undefined {
  const { session } = request
  return session.held === undefined ? undefined : hashSession(session.sessionId)
}

/**
 * Loads `request.session` in one scope; /fhir, probes and static files stay outside and never touch the store for it.
 * @fastify/session 11.1.3 is kept on a short leash (what it does otherwise was measured):
 * - it gets the cookie only when cookies.ts trusts it, signed under the first secret, so that a rotated secret is
 *   no logout and a forged one no clearing;
 * - its own Set-Cookie lines, whose clearing lacks Secure and Partitioned, never leave;
 * - it can change a stored session only as it was read and never create one, so that a slow request brings nothing back.
 */
export function browserSession(deps: BrowserSessionDeps) {
  const protocol = new URL(deps.publicOrigin).protocol.slice(0, -1)

  return fp(async (scope: FastifyInstance) => {
    await scope.register(cookiePlugin)
    scope.addHook('onRequest', async (request) => {
      // publicUrl's scheme, never a header's.
      Object.defineProperty(request, 'protocol', { value: protocol })
      const id = deps.cookies.read(request.headers.cookie)
      request.cookies = id === undefined ? {} : { [sessionCookieName]: deps.cookies.sign(id) }
    })
    await scope.register(sessionPlugin, {
      cookieName: sessionCookieName,
      secret: signer(deps.cookies),
      store: createSessionStore(deps),
      rolling: false,
      saveUninitialized: false,
      // With `secure` it would keep nothing at http://localhost. What leaves is written by cookies.ts, always Secure.
      cookie: { path: '/', secure: protocol === 'https' },
    })
    scope.addHook('onSend', async (request, reply) => keepOwnCookies(deps.cookies, request, reply))
  })
}

/**
 * The last word on Set-Cookie: our own lines, and the session's anew where it was signed under an older secret. A cookie
 * whose session is gone is left alone: clearing it could hit the newer one that a callback is just setting.
 */
function keepOwnCookies(cookies: SessionCookies, request: FastifyRequest, reply: FastifyReply) {
  const lines = [reply.getHeader('set-cookie') ?? []].flat().map(String).filter(isOwnSetCookie)
  const reading = cookies.inspect(request.headers.cookie)
  const renew = reading.kind === 'valid' && reading.renew && request.session?.held !== undefined
  const named = lines.some((line) => line.startsWith(`${sessionCookieName}=`))
  if (renew && !named) lines.push(cookies.set(reading.id))
  reply.removeHeader('set-cookie')
  if (lines.length === 0) return
  reply.header('set-cookie', lines)
  reply.header('cache-control', 'no-store')
}

/** The plugin compares what we gave it with what it signs itself: both are the value under the first secret. */
function signer(cookies: SessionCookies) {
  return {
    sign: (id: string) => cookies.sign(id),
    unsign: (value: string) => {
      const id = cookies.read(setCookie(sessionCookieName, value).split(';')[0])
      return { valid: id !== undefined, renew: false, value: id ?? null }
    },
  }
}

/** The blob carries no cookie options: stored ones would win over today's configuration. */
export function createSessionStore(
  deps: Pick<BrowserSessionDeps, 'records' | 'store'>,
): SessionStore {
  const { records, store } = deps
  return {
    get: callbackify(async (id: string) => {
      const held = await records.hold(hashSession(id))
      return held === undefined ? null : { held, cookie: { originalMaxAge: null } }
    }),
    set: callbackify(async (id: string, session: Session) => {
      const { held } = session
      if (held === undefined) return
      // The plugin tries again while it sends the error; what could not be kept once is not there to be kept again.
      delete session.held
      const written = await records.replace(hashSession(id), held, held.record)
      // Ended while the request ran, and it stays ended; or written by another request, whose word counts.
      if (!written) throw new SmartBffError('SESSION_MISSING')
      session.held = held
    }),
    destroy: callbackify(async (id: string) => {
      await store.endSession(hashSession(id), 'ended')
    }),
  }
}
