import type { Audit } from '../audit/event.ts'
import type { ResolvedQuirks } from '../ehr/quirks.ts'
import { userKey } from '../session/session-record.ts'
import type { LaunchKey } from '../store/store.ts'
import { createEnds } from '../vault/ends.ts'
import type { EndCause, LaunchRecord } from '../vault/record.ts'
import type { Vault } from '../vault/vault.ts'

/** What a completed launch does to the older ones of its browser: `onNewPatient` and `launchesPerBrowser`. */
export interface OlderDeps {
  readonly vault: Pick<Vault, 'list' | 'end' | 'told' | 'untoldSession'>
  readonly audit: Audit
  readonly revoke: (record: LaunchRecord) => Promise<void>
  readonly launchesMax: number
}

export interface CompletedLaunch {
  readonly record: LaunchRecord
  readonly rules: Pick<ResolvedQuirks, 'onNewPatient'>
  /** Incident number and address of the callback, for the audit. */
  readonly request: string
  readonly client: string
}

/** Ends them, records each end and hands their tokens back at the EHR. */
export async function endOlder(
  deps: OlderDeps,
  { session }: Pick<LaunchKey, 'session'>,
  completed: CompletedLaunch,
): Promise<void> {
  const open = (await deps.vault.list(session)).map(({ record }) => record)
  const doomed = [
    ...(completed.rules.onNewPatient === 'supersede' ? superseded(open, completed.record) : []),
    ...displaced(open, deps.launchesMax),
  ]
  const ends = createEnds(deps)
  for (const { launch, cause } of doomed) {
    const story = {
      request: completed.request,
      client: completed.client,
      reason: cause ?? 'new_patient',
    } as const
    // oxlint-disable-next-line no-await-in-loop -- records keep the order of events
    const ended = await deps.vault.end({ session, launch }, 'superseded', story)
    // Ended by a launch that completed at the same instant: the record and the revocation are its own.
    if (ended === undefined) continue
    // oxlint-disable-next-line no-await-in-loop -- see above
    await ends.tell(session, ended, story)
  }
}

interface Doomed {
  readonly launch: string
  readonly cause?: EndCause
}

/**
 * Of one user at one tenant a launch lives only while none that is newer shows another patient. Judged over all of them,
 * the one just completed too: of launches that complete at the same instant each comes to the same answer.
 */
export function superseded(open: readonly LaunchRecord[], completed: LaunchRecord): Doomed[] {
  const user = userKey(completed.tenant, completed.user)
  // An unknown user equals nobody (DESIGN rule 14).
  if (user === '') return []
  const own = open.filter(
    ({ tenant, user: other }) => tenant === completed.tenant && userKey(tenant, other) === user,
  )
  return own
    .filter(({ context, ...older }) =>
      own.some(
        (newer) =>
          isNewer(newer, older) &&
          context.patient !== undefined &&
          newer.context.patient !== undefined &&
          newer.context.patient !== context.patient,
      ),
    )
    .map(({ launch }) => ({ launch }))
}

/**
 * Whatever is not among the newest. Whoever sees fewer launches than there are ends none that somebody who sees all
 * would keep.
 */
export function displaced(open: readonly LaunchRecord[], max: number): Doomed[] {
  return open
    .toSorted((one, two) => (isNewer(one, two) ? -1 : 1))
    .slice(max)
    .map(({ launch }) => ({ launch, cause: 'launch_limit' }))
}

type Begun = Pick<LaunchRecord, 'launch' | 'startedAt'>

const isNewer = (one: Begun, two: Begun): boolean =>
  one.startedAt === two.startedAt ? one.launch > two.launch : one.startedAt > two.startedAt
