import { randomBytes } from 'node:crypto'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import type { AuditEvent } from '../audit/event.ts'
import { oauthErrors } from '../audit/reasons.ts'
import { errorTable, SmartBffError } from '../errors.ts'
import { clearCookie } from '../session/cookies.ts'
import type { Drafts } from '../session/drafts.ts'
import type { Join, Joined } from '../session/join.ts'
import { readerOf } from '../smart/reader.ts'
import type { Tracing } from '../tracing/tracing.ts'
import type { LaunchKey } from '../store/store.ts'
import { createEnds, transitionOf } from '../vault/ends.ts'
import type { LaunchRecord } from '../vault/record.ts'
import type { Vault } from '../vault/vault.ts'
import type { Pages } from '../web/pages.ts'
import { clearSiteData, sendPage } from '../web/headers.ts'
import { begin, placeOf, type BeginAsk, type BeginDeps, type Begun } from './begin.ts'
import { complete } from './complete.ts'
import { endOlder } from './older.ts'
import { renew } from './renew.ts'
import { appAddress } from './return-path.ts'
import { readCallbackParameters } from './parameters.ts'
import { beginTrace, traceStep } from './traced.ts'
import { proveOwn, take, type Resumed, type Taken } from './resume.ts'

/** /launch and /callback: the EHR sends the clinician, and the clinician comes to the app with the right chart. */
export interface LaunchRouteDeps extends BeginDeps {
  readonly join: Join
  readonly vault: Vault
  readonly pages: Pages
  readonly absoluteMs: number
  readonly drafts: Pick<Drafts, 'forget'>
  /** `session.launchesPerBrowser`. */
  readonly launchesMax: number
  /** Best effort, after the end has been written: the EHR's tokens of launches that ended. */
  readonly revoke: (record: LaunchRecord) => Promise<void>
  /** The distinct redirect paths of all tenants. */
  readonly callbackPaths: readonly string[]
  /** Undefined where it is not configured. */
  readonly tracing?: Tracing | undefined
}

export function entryRoutes(deps: LaunchRouteDeps) {
  return async (scope: FastifyInstance): Promise<void> => {
    scope.get('/launch', (request, reply) => answerLaunch(deps, request, reply, undefined))
    scope.get<{ Params: { tenant: string; mode: string } }>(
      '/launch/:tenant/:mode',
      (request, reply) => answerLaunch(deps, request, reply, request.params),
    )
    for (const path of deps.callbackPaths) {
      scope.get(path, (request, reply) => answerCallback(deps, request, reply, path))
    }
  }
}

async function answerLaunch(
  deps: LaunchRouteDeps,
  request: FastifyRequest,
  reply: FastifyReply,
  path: BeginAsk['path'],
): Promise<FastifyReply> {
  const ask: BeginAsk = {
    rawUrl: request.raw.url ?? '',
    path,
    cookieHeader: request.headers.cookie,
    incident: request.incident,
    client: request.ip,
    launch: randomBytes(24).toString('base64url'),
  }
  const story: Story = { launch: ask.launch }
  beginTrace(deps.tracing, 'launch', request, reply)?.belongsTo(ask.launch)
  try {
    const place = placeOf(deps.directory, ask)
    request.tenant = place.tenant
    request.reader = readerOf(place.mode)
    Object.assign(story, { tenant: place.tenant.id, mode: place.mode.id })
    const begun = await begin(deps, place, ask)
    if (begun.kind === 'redirect') return redirect(reply, begun.location, begun.setCookies)
    if (begun.kind === 'form') return sendAuthorizationForm(deps, request, reply, begun)
    const error = new SmartBffError('LAUNCH_COOKIE_NOT_KEPT')
    await recordUnopened(deps, request, 'launch.refused', error, story)
    return sendCookieNotKept(deps, request, reply, begun.launchUrl)
  } catch (error) {
    await recordUnopened(deps, request, 'launch.refused', error, story)
    throw error
  }
}

async function answerCallback(
  deps: LaunchRouteDeps,
  request: FastifyRequest,
  reply: FastifyReply,
  callbackPath: string,
): Promise<FastifyReply> {
  const story: Story = {}
  const trace = beginTrace(deps.tracing, 'callback', request, reply)
  try {
    const parameters = readCallbackParameters(request.raw.url ?? '')
    if (parameters.state === undefined) throw new SmartBffError('LAUNCH_STATE_UNKNOWN')
    const taken = await take(deps, parameters.state)
    Object.assign(story, storyOf(taken))
    const { cookie: cookieHeader } = request.headers
    const resumed = proveOwn(taken, { state: parameters.state, callbackPath, cookieHeader })
    request.tenant = taken.place.tenant
    request.reader = readerOf(taken.place.mode)
    trace?.belongsTo(resumed.pending.launch)
    if (parameters.kind === 'error') {
      throw new SmartBffError('LAUNCH_AUTHORIZATION_REFUSED', { detail: parameters.error })
    }
    const { state, query } = parameters
    const record = await traceStep(trace, 'ehr.exchange', () =>
      complete(deps, {
        pending: resumed.pending,
        mode: resumed.place.mode,
        ehr: resumed.ehr,
        state,
        query,
        incident: request.incident,
        onUser: (user) => Object.assign(story, { user }),
      }),
    )
    Object.assign(story, { user: record.user, patient: record.context.patient })
    request.reader = readerOf(resumed.place.mode, record.user.kind)
    if (resumed.pending.renews === undefined) {
      const joined = await traceStep(trace, 'session.join', () =>
        settle(deps, request, resumed, record),
      ).catch((unopened: unknown) => {
        // Tokens that no launch will use go back.
        void deps.revoke(record)
        throw unopened
      })
      if (joined.otherUser) reply.header('clear-site-data', clearSiteData)
      return redirect(reply, `/app/${record.launch}/`, joined.setCookies)
    }
    const { renews, returnTo } = resumed.pending
    await renew(deps, { cookieHeader, record, renews, ...here(request) })
    return redirect(reply, appAddress(record.launch, returnTo), [clearCookie(resumed.cookie.name)])
  } catch (error) {
    await recordUnopened(deps, request, 'launch.failed', error, story)
    throw error
  }
}

/** The record becomes a launch of the browser's session. */
async function settle(
  deps: LaunchRouteDeps,
  request: FastifyRequest,
  resumed: Resumed,
  record: LaunchRecord,
): Promise<Joined> {
  const story = { reason: 'other_user', ...here(request) } as const
  const joined = await deps.join({
    cookieHeader: request.headers.cookie,
    own: resumed.cookie,
    pendingCookies: resumed.cookies,
    tenant: record.tenant,
    user: record.user,
    story,
  })
  // DESIGN rule 14: they have ended already; what follows is the record of it, in order, and the EHR's part. One fault
  // must not keep the others from it.
  const ends = createEnds(deps)
  const results = await Promise.allSettled([
    ...(joined.begun ? [deps.audit.record(sessionStarted(request, record))] : []),
    ...joined.ended.map(({ session, record: ended }) => ends.tell(session, ended, story)),
    // One without a launch is told of by the sweeper.
    ...[...new Set(joined.ended.map(({ session }) => session))].map((session) =>
      ends.tellSession(session, story),
    ),
    ...joined.ended.map(({ record: ended }) => deps.drafts.forget(ended)),
  ])
  for (const result of results) if (result.status === 'rejected') throw result.reason
  const key = { session: joined.session, launch: record.launch }
  try {
    if (!(await deps.vault.create(key, record))) throw new SmartBffError('SESSION_MISSING')
    await deps.audit.record(authorized(request, record))
    await endOlder(deps, key, { record, rules: resumed.ehr.quirks, ...here(request) })
  } catch (unopened) {
    // A launch that could not be recorded must not live (DESIGN rule 8), nor one beside another patient's, nor one whose
    // creation was never answered.
    await abort(deps, request, key, unopened).catch(() => undefined)
    throw unopened
  }
  return joined
}

/** Its tokens are given back by whoever opened it. */
async function abort(
  { vault, audit }: LaunchRouteDeps,
  request: FastifyRequest,
  key: LaunchKey,
  cause: unknown,
): Promise<void> {
  const story = {
    reason: refusalOf(cause).reason,
    actor: 'system',
    ...here(request),
    visited: true,
    unborn: 'unborn',
  } as const
  const ended = await vault.end(key, 'ended', story)
  if (ended === undefined) return
  await audit.record(transitionOf(ended, 'ended', story))
  await vault.told(key)
}

type Story = Partial<Pick<AuditEvent, 'tenant' | 'mode' | 'launch' | 'user' | 'patient'>>

const storyOf = ({ pending }: Taken): Story => ({
  tenant: pending.tenant,
  mode: pending.mode,
  launch: pending.launch,
})

const recordStory = (record: LaunchRecord): Story => ({
  tenant: record.tenant,
  mode: record.mode,
  launch: record.launch,
  user: record.user,
  ...(record.context.patient === undefined ? {} : { patient: record.context.patient }),
})

const here = (request: FastifyRequest) => ({ request: request.incident, client: request.ip })

function authorized(request: FastifyRequest, record: LaunchRecord): AuditEvent {
  return {
    event: 'launch.authorized',
    outcome: 'success',
    state: 'active',
    ...recordStory(record),
    ...here(request),
    requested: record.scopes.requested,
    granted: record.scopes.granted,
  }
}

function sessionStarted(request: FastifyRequest, record: LaunchRecord): AuditEvent {
  return {
    event: 'session.started',
    outcome: 'success',
    tenant: record.tenant,
    user: record.user,
    ...here(request),
  }
}

/** Every launch that does not open leaves a record too: its story is what support staff are asked about. */
async function recordUnopened(
  deps: LaunchRouteDeps,
  request: FastifyRequest,
  event: 'launch.refused' | 'launch.failed',
  error: unknown,
  story: Story,
): Promise<void> {
  await deps.audit.record({ event, ...story, ...here(request), ...refusalOf(error) })
}

/** `ehr.access_denied`: the EHR's own word, which stands on a closed list; else our code. */
function refusalOf(error: unknown): Pick<AuditEvent, 'outcome' | 'state' | 'reason' | 'status'> {
  const known = error instanceof SmartBffError ? error : new SmartBffError('INTERNAL')
  const said =
    known.code === 'LAUNCH_AUTHORIZATION_REFUSED' || known.code === 'LAUNCH_TOKEN_REFUSED'
  const word = said ? oauthErrors.find((one) => one === known.detail) : undefined
  return {
    outcome: known.status < 500 ? 'refused' : 'failed',
    state: known.state,
    status: known.status,
    reason: word === undefined ? known.code : `ehr.${word}`,
  }
}

/** RFC 9700 4.12: 303, so that no browser repeats a body. */
function redirect(
  reply: FastifyReply,
  location: string,
  setCookies: readonly string[],
): FastifyReply {
  if (setCookies.length > 0) reply.header('set-cookie', setCookies)
  return reply.header('cache-control', 'no-store').redirect(location, 303)
}

/** SMART App Launch 2.2 (@51): the authorization request as a form, posted by the page that holds it. */
function sendAuthorizationForm(
  deps: LaunchRouteDeps,
  request: FastifyRequest,
  reply: FastifyReply,
  { action, fields, setCookies }: Extract<Begun, { kind: 'form' }>,
): FastifyReply {
  if (setCookies.length > 0) reply.header('set-cookie', setCookies)
  const { tenant } = request
  const render = (nonce: string): string =>
    deps.pages.renderAuthorizationForm({ action, fields, nonce, tenantName: tenant?.name })
  return sendPage(request, reply, render, { postsElsewhere: true })
}

function sendCookieNotKept(
  deps: LaunchRouteDeps,
  request: FastifyRequest,
  reply: FastifyReply,
  launchUrl: string,
): FastifyReply {
  const { incident, tenant, reader } = request
  const { status, state } = errorTable.LAUNCH_COOKIE_NOT_KEPT
  reply.code(status).header('smart-bff-state', state)
  const framed = request.headers['sec-fetch-dest'] !== 'document'
  return sendPage(request, reply, (nonce) =>
    deps.pages.renderCookieNotKept({
      launchUrl: framed ? launchUrl : undefined,
      incident,
      nonce,
      reader,
      tenant: tenant && { name: tenant.name, support: tenant.support?.text },
    }),
  )
}
