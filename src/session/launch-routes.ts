import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import type { Audit } from '../audit/event.ts'
import type { LaunchInfo } from '../browser/launch-info.ts'
import { SmartBffError } from '../errors.ts'
import type { LaunchRecord } from '../vault/record.ts'
import { createEnds, type EndStory } from '../vault/ends.ts'
import type { Vault } from '../vault/vault.ts'
import { clearSiteData, dataPolicy } from '../web/headers.ts'
import type { SessionRecords } from './session-records.ts'
import { judgeBrowserRequest } from './anti-forgery.ts'
import { liveSession } from './browser-session.ts'
import { clearCookie, sessionCookieName } from './cookies.ts'
import { createActivity } from './activity.ts'
import type { Drafts } from './drafts.ts'
import { launchInfo } from './launch-info.ts'
import type { OpenOwnLaunch } from './own-launch.ts'

export interface LaunchRoutesDeps {
  readonly openOwnLaunch: OpenOwnLaunch
  readonly vault: Pick<Vault, 'end' | 'endSession' | 'told' | 'touch' | 'untoldSession'>
  readonly records: Pick<SessionRecords, 'slide'>
  readonly audit: Pick<Audit, 'record'>
  /** The EHR's look, where it gave one that may be used; bounded in time. Never throws. */
  readonly readStyle: (record: LaunchRecord) => Promise<LaunchInfo['style']>
  /** The drafts of a session go with it (DESIGN rule 15). */
  readonly drafts: Pick<Drafts, 'forget'>
  /** Takes the tokens back at the EHR; bounded in time by itself. Its failure changes nothing here. */
  readonly revoke: (record: LaunchRecord) => Promise<void>
  readonly now: () => number
}

/** ISO 8601: when the launch ends for want of activity. A 204 has no body that could say so. */
const idleHeader = 'smart-bff-idle'

type Launched = { Params: { launch: string } }

/** What a browser may ask and say of its launches. For a scope with `browserRequests` and the browser session. */
export function launchRoutes(deps: LaunchRoutesDeps) {
  return async (scope: FastifyInstance): Promise<void> => {
    const ends = createEnds(deps)
    const activity = createActivity(deps)
    scope.addHook('onClose', () => ends.settled())

    // Polling is no activity: no clock is touched (DESIGN rule 13).
    scope.get<Launched>('/launches/:launch', async (request, reply) => {
      const own = await deps.openOwnLaunch(request, request.params.launch)
      const info = launchInfo(own, await deps.readStyle(own.record))
      // The helper reads the deadlines by this header: both by the clock that all replicas share.
      reply.header('date', new Date(deps.now()).toUTCString())
      return reply.header('content-security-policy', dataPolicy).send(info)
    })

    // The user did something. The body, if there is one, is nothing to us.
    scope.post<Launched>('/launches/:launch/activity', async (request, reply) => {
      const own = await deps.openOwnLaunch(request, request.params.launch)
      const idleAt = await activity(own)
      return reply.code(204).header(idleHeader, new Date(idleAt).toISOString()).send()
    })

    scope.delete<Launched>('/launches/:launch', async (request, reply) => {
      const { key } = await deps.openOwnLaunch(request, request.params.launch)
      const story = logout(request)
      const record = await deps.vault.end(key, 'ended', story)
      // Ended by somebody else since it was opened: his audit record, his revocation.
      if (record === undefined) throw new SmartBffError('LAUNCH_ENDED')
      await ends.tell(key.session, record, story)
      return reply.code(204).send()
    })

    scope.delete('/session', async (request, reply) => {
      const session = liveSession(request)
      // A store fault throws here: while the session lives the cookie stays, and the user may try again.
      const story = { ...logout(request), forgetDraft: true }
      const records =
        session === undefined ? [] : await deps.vault.endSession(session, 'ended', story)
      // Also without a session: what the browser keeps goes.
      forgetEverything(reply)
      if (session === undefined) return reply.code(204).send()
      // They have ended: one fault of store or audit must not keep the others from what follows.
      const results = await Promise.allSettled([
        ...records.map((record) => ends.tell(session, record, story)),
        ends.tellSession(session, story),
        ...records.map((record) => deps.drafts.forget(record)),
      ])
      for (const result of results) if (result.status === 'rejected') throw result.reason
      return reply.code(204).send()
    })
  }
}

/** The judge of anti-forgery.ts before anything else: a request of another page costs no store trip. */
export function browserRequests(options: {
  readonly publicOrigin: string
  readonly audit: Pick<Audit, 'record'>
}) {
  return async (request: FastifyRequest): Promise<void> => {
    const decision = judgeBrowserRequest({
      method: request.method,
      headers: request.headers,
      publicOrigin: options.publicOrigin,
      allowImage: false,
    })
    if (decision.kind === 'allow') return
    await options.audit.record({
      event: 'request.refused',
      outcome: 'refused',
      state: 'not_permitted',
      request: request.incident,
      client: request.ip,
      reason: decision.reason,
    })
    throw new SmartBffError('SESSION_CROSS_SITE')
  }
}

/** "cookies" would sign the user out of every application of the domain. */
function forgetEverything(reply: FastifyReply): void {
  reply.header('clear-site-data', clearSiteData)
  reply.header('set-cookie', clearCookie(sessionCookieName))
}

const logout = (request: FastifyRequest): EndStory => ({
  reason: 'logout',
  request: request.incident,
  client: request.ip,
})
