import type { FastifyInstance } from 'fastify'
import { SmartBffError } from '../errors.ts'
import type { SessionCookies } from '../session/cookies.ts'
import type { OpenOwnLaunch } from '../session/own-launch.ts'
import { readPendingCookies } from '../session/pending-cookies.ts'
import { userKey } from '../session/session-record.ts'
import type { LaunchKey } from '../store/store.ts'
import { hashSession } from '../vault/names.ts'
import type { LaunchRecord } from '../vault/record.ts'
import { endCode } from '../vault/transitions.ts'
import type { OpenLaunch, Vault } from '../vault/vault.ts'
import { authorize, type BeginDeps } from './begin.ts'
import { readReturnPath } from './return-path.ts'

/** A new authorization of a launch that lives: for the same user and patient, in place. */
export interface RenewRouteDeps extends BeginDeps {
  readonly openOwnLaunch: OpenOwnLaunch
}

/**
 * `POST /launches/:launch/reauthorize`: where to send the browser. A launch value works once, so that an EHR launch is
 * opened again from the chart. The body may say where in the app this was asked for. For a scope with `browserRequests` and the browser session.
 */
export function renewRoute(deps: RenewRouteDeps) {
  return async (scope: FastifyInstance): Promise<void> => {
    scope.post<{ Params: { launch: string } }>(
      '/launches/:launch/reauthorize',
      { bodyLimit: maxBodyBytes },
      async (request, reply) => {
        const { key, tenant, mode } = await deps.openOwnLaunch(request, request.params.launch)
        if (tenant.paused !== undefined) throw new SmartBffError('LAUNCH_TENANT_PAUSED')
        if (mode.launch === 'ehr') throw new SmartBffError('LAUNCH_OPEN_AGAIN')
        const begun = await authorize(
          deps,
          { tenant, mode },
          { iss: undefined, launch: undefined, probe: undefined },
          {
            rawUrl: '',
            path: undefined,
            cookieHeader: request.headers.cookie,
            incident: request.incident,
            client: request.ip,
            launch: key.launch,
            renews: key.session,
            returnTo: readReturnPath(whereIn(request.body)),
          },
          { cookies: readPendingCookies(request.headers.cookie), probe: undefined },
        )
        // Where the EHR takes the request as a form, an address alone leads nowhere.
        if (begun.kind !== 'redirect') throw new SmartBffError('LAUNCH_OPEN_AGAIN')
        return reply.header('set-cookie', begun.setCookies).send({ location: begun.location })
      },
    )
  }
}

/** One address. */
const maxBodyBytes = 4096

/** `{ "at": "…" }`, which may be missing. */
function whereIn(body: unknown): unknown {
  return typeof body === 'object' && body !== null && 'at' in body ? body.at : undefined
}

export interface RenewDeps {
  readonly vault: Pick<Vault, 'open' | 'replace'>
  readonly sessionCookies: Pick<SessionCookies, 'read'>
  readonly audit: BeginDeps['audit']
  readonly revoke: (record: LaunchRecord) => Promise<void>
}

export interface Renewal {
  readonly cookieHeader: string | undefined
  /** What the EHR has just given, under the id of the launch that lives. */
  readonly record: LaunchRecord
  readonly renews: string
  readonly request: string
  readonly client: string
}

/** A refresh may write at the same instant. */
const attemptsMax = 4

/**
 * Throws LAUNCH_REAUTHORIZED_OTHER where another user or patient came back, and whatever the launch has become
 * meanwhile; the tokens that came then go back to the EHR, and the launch stays as it was.
 */
export async function renew(deps: RenewDeps, renewal: Renewal): Promise<void> {
  const { record, renews } = renewal
  try {
    const id = deps.sessionCookies.read(renewal.cookieHeader)
    if (id === undefined || hashSession(id) !== renews) throw new SmartBffError('SESSION_MISSING')
    const before = await replace(deps, { session: renews, launch: record.launch }, record)
    await deps.audit.record({
      event: 'launch.authorized',
      outcome: 'success',
      state: 'active',
      tenant: record.tenant,
      mode: record.mode,
      launch: record.launch,
      user: record.user,
      ...(record.context.patient === undefined ? {} : { patient: record.context.patient }),
      request: renewal.request,
      client: renewal.client,
      requested: record.scopes.requested,
      granted: record.scopes.granted,
      reason: before.record.state === 'active' ? 'renewed' : 'reauthorized',
    })
  } catch (refusal) {
    void deps.revoke(record)
    throw refusal
  }
}

async function replace(deps: RenewDeps, key: LaunchKey, record: LaunchRecord): Promise<OpenLaunch> {
  for (let attempt = 0; attempt < attemptsMax; attempt += 1) {
    // oxlint-disable-next-line no-await-in-loop -- an attempt follows from the failure of the one before
    const opening = await deps.vault.open(key)
    if (opening.kind === 'missing') throw new SmartBffError('SESSION_MISSING')
    if (opening.kind === 'ended') throw new SmartBffError(endCode(opening))
    const { launch } = opening
    if (!isSame(launch.record, record)) throw new SmartBffError('LAUNCH_REAUTHORIZED_OTHER')
    const { scopes, tokens, context } = record
    const renewed: LaunchRecord = { ...launch.record, state: 'active', scopes, tokens, context }
    // oxlint-disable-next-line no-await-in-loop -- see above
    if ((await deps.vault.replace(key, launch, renewed)) !== undefined) return launch
  }
  throw new SmartBffError('STORE_UNAVAILABLE', { detail: 'renew: changed on each attempt' })
}

/** An unknown user equals nobody (DESIGN rule 14). */
export function isSame(one: LaunchRecord, two: LaunchRecord): boolean {
  const user = userKey(one.tenant, one.user)
  return (
    user !== '' &&
    one.tenant === two.tenant &&
    one.mode === two.mode &&
    user === userKey(two.tenant, two.user) &&
    one.context.patient === two.context.patient
  )
}
