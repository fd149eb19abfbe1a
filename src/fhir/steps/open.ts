import type { IncomingMessage } from 'node:http'
import { SmartBffError } from '../../errors.ts'
import { judgeBrowserRequest } from '../../session/anti-forgery.ts'
import type { SessionCookies } from '../../session/cookies.ts'
import type { LaunchKey } from '../../store/store.ts'
import { endCode } from '../../vault/transitions.ts'
import type { RememberingVault } from '../../vault/memory.ts'
import type { Opening } from '../../vault/vault.ts'
import { refuse } from '../decision.ts'
import type { Refusal } from '../decision.ts'
import type { Exchange, OpenedLaunch } from '../exchange.ts'
import type { Views } from '../view.ts'

/**
 * The two questions before any FHIR is read: does this come from our page (DESIGN, Requests from a browser), and is the
 * launch named in the URL one of this cookie's (DESIGN rule 2)?
 */
export function judgeBrowser(
  incoming: IncomingMessage,
  publicUrl: string,
  allowImage: boolean,
): Refusal | undefined {
  const decision = judgeBrowserRequest({
    method: incoming.method ?? '',
    headers: incoming.headers,
    publicOrigin: publicUrl,
    allowImage,
  })
  return decision.kind === 'allow' ? undefined : refuse('SESSION_CROSS_SITE', decision.reason)
}

export interface OpenDeps {
  readonly cookies: Pick<SessionCookies, 'inspect'>
  readonly vault: Pick<RememberingVault, 'open'>
  readonly views: Views
}

/** One store trip. A missing launch and somebody else's launch read exactly alike (DESIGN, Fine print). */
export function openLaunch(
  cookieHeader: string | undefined,
  launch: string,
  deps: OpenDeps,
): OpenedLaunch | Refusal | Promise<OpenedLaunch | Refusal> {
  const reading = deps.cookies.inspect(cookieHeader)
  if (reading.kind !== 'valid') return refuse('SESSION_MISSING')
  const key = { session: reading.session, launch }
  const opening = deps.vault.open(key)
  return opening instanceof Promise
    ? opening.then((opened) => judgeOpening(key, opened, deps))
    : judgeOpening(key, opening, deps)
}

function judgeOpening(key: LaunchKey, opening: Opening, deps: OpenDeps): OpenedLaunch | Refusal {
  if (opening.kind === 'missing') return refuse('LAUNCH_ENDED')
  if (opening.kind === 'ended') return refuse(endCode(opening))
  const { record } = opening.launch
  const view = deps.views.of(record)
  // The configuration changed under a living launch: the app is opened again.
  if (view === undefined) return refuse('LAUNCH_ENDED')
  if (view.tenant.paused !== undefined) return refuse('LAUNCH_TENANT_PAUSED', 'paused')
  if (record.state === 'reauth_required') return refuse('TOKEN_EXPIRED')
  if (record.state !== 'active') return refuse('LAUNCH_ENDED')
  return { key, opened: opening.launch, view }
}

/** As old as what is kept in memory may be. */
const newsMs = 500

export function isNew({ startedAt }: Pick<Exchange, 'startedAt'>): boolean {
  return performance.now() - startedAt < newsMs
}

/**
 * An EHR may take longer than the news of an end (DESIGN rule 12): whoever asked may have signed out meanwhile, or may
 * have another patient before him. What came too late is not shown, and what was not sent is not written.
 */
export async function judgeStillOpen(
  exchange: Pick<Exchange, 'startedAt'>,
  { key }: Pick<OpenedLaunch, 'key'>,
  { vault }: Pick<OpenDeps, 'vault'>,
): Promise<Refusal | undefined> {
  if (isNew(exchange)) return undefined
  const opening = await vault.open(key)
  if (opening.kind === 'open') return undefined
  return refuse(opening.kind === 'ended' ? endCode(opening) : 'LAUNCH_ENDED')
}

/** Store and vault faults are thrown as SmartBffError; every one of them is a refusal here. */
export function refuseError(error: unknown): Refusal {
  return refuse(error instanceof SmartBffError ? error.code : 'INTERNAL')
}
