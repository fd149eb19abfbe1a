import type { Audit, AuditEvent } from '../audit/event.ts'
import { launchHash, type Pseudonyms } from '../audit/pseudonyms.ts'
import type { RevocationReason } from '../audit/reasons.ts'
import type { LaunchKey, Store } from '../store/store.ts'
import { createEnds, transitionOf } from './ends.ts'
import { sealedUnder } from './key-ring.ts'
import type { LaunchIndex } from './launch-index.ts'
import type { LaunchRecord } from './record.ts'
import type { Vault } from './vault.ts'

/** Which launches are to end. */
export type RevocationTarget =
  | { readonly kind: 'everything' }
  | { readonly kind: 'tenant'; readonly tenant: string }
  /** `user`: fhirUser, subject, or the pseudonym under which the audit shows the user. */
  | { readonly kind: 'user'; readonly tenant: string; readonly user: string }
  /** The launch id, or the 16 digits that stand for it in the audit. */
  | { readonly kind: 'launch'; readonly launch: string }
  /** What is sealed under this encryption key. */
  | { readonly kind: 'key'; readonly key: string }

export interface RevocationOrder {
  readonly target: RevocationTarget
  /** Who ordered it: a login name. */
  readonly by: string
  readonly reason: RevocationReason
  /** The incident number that joins the order with what it ended. */
  readonly request: string
}

export interface RevocationResult {
  readonly ended: number
  /** False where the store has replicas and none of them has confirmed the ends. */
  readonly replicated: boolean
}

export interface RevocationDeps {
  readonly store: Pick<Store, 'listDue' | 'readLaunch' | 'replicated'>
  readonly vault: Pick<Vault, 'open' | 'end' | 'endSession' | 'told' | 'untoldSession'>
  readonly index: Pick<LaunchIndex, 'ofTenant' | 'ofUser' | 'ofPseudonym'>
  readonly pseudonyms: Pick<Pseudonyms, 'everyUser'>
  readonly audit: Pick<Audit, 'record'>
  /** Takes the tokens back at the EHR; bounded in time by itself. Never throws. */
  readonly revoke: (record: LaunchRecord) => Promise<void>
}

const replicationMs = 1_000
const atOnce = 16

/**
 * Ends launches by order. First what the index knows, which is at once; then everything that lives is gone through, so
 * that a launch whose index entry was never written ends too. Each end is told to every replica from inside the script
 * that writes it. Throws STORE_UNAVAILABLE and AUDIT_UNAVAILABLE: then the order may be carried out in part, and can be
 * given again.
 */
export function createRevocation(deps: RevocationDeps) {
  return async (order: RevocationOrder): Promise<RevocationResult> => {
    const { target } = order
    await deps.audit.record({ event: 'revocation.ordered', ...orderEvent(order) })
    const work = createWork(deps, order)
    await work.endAll(await indexed(deps, target))
    for await (const page of deps.store.listDue()) {
      const keys = page.flatMap(({ session, launch }) => (launch ? [{ session, launch }] : []))
      await work.endAll(await matching(deps, target, keys))
      if (target.kind === 'everything') {
        for (const { session, launch } of page) if (!launch) await work.endSession(session)
      }
    }
    const replicated = await deps.store.replicated(replicationMs)
    await work.settled()
    const ended = work.count()
    await deps.audit.record({
      event: 'revocation.carried_out',
      ...orderEvent(order),
      outcome: replicated ? 'success' : 'failed',
      count: ended,
    })
    return { ended, replicated }
  }
}

function orderEvent({ target, by, reason, request }: RevocationOrder) {
  return {
    outcome: 'success',
    ...('tenant' in target ? { tenant: target.tenant } : {}),
    // Whoever revokes is of the hospital's staff: the log must say who.
    user: { issuer: undefined, subject: by, fhirUser: undefined, kind: 'staff' },
    request,
    reason,
    actor: 'staff',
  } as const satisfies Omit<AuditEvent, 'event'>
}

const pseudonymForm = /^[A-Za-z0-9_-]{1,32}\.[A-Za-z0-9_-]{22}$/

async function indexed(
  { index }: RevocationDeps,
  target: RevocationTarget,
): Promise<readonly LaunchKey[]> {
  if (target.kind === 'tenant') return index.ofTenant(target.tenant)
  if (target.kind !== 'user') return []
  if (pseudonymForm.test(target.user)) return index.ofPseudonym(target.user)
  const user = { issuer: undefined, subject: undefined, fhirUser: target.user }
  return index.ofUser(target.tenant, user)
}

async function matching(
  deps: RevocationDeps,
  target: RevocationTarget,
  keys: readonly LaunchKey[],
): Promise<readonly LaunchKey[]> {
  if (target.kind === 'everything') return keys
  if (target.kind === 'launch') {
    const { launch: wanted } = target
    return keys.filter(({ launch }) => launch === wanted || launchHash(launch) === wanted)
  }
  const found: LaunchKey[] = []
  await inParallel(keys, async (key) => {
    const fits =
      target.kind === 'key' ? isSealedUnder(deps, target.key, key) : fitsRecord(deps, target, key)
    if (await fits) found.push(key)
  })
  return found
}

async function isSealedUnder({ store }: RevocationDeps, keyId: string, key: LaunchKey) {
  return sealedUnder((await store.readLaunch(key))?.sealed ?? '') === keyId
}

async function fitsRecord(
  { vault, pseudonyms }: RevocationDeps,
  target: Extract<RevocationTarget, { kind: 'tenant' | 'user' }>,
  key: LaunchKey,
): Promise<boolean> {
  const opening = await vault.open(key)
  if (opening.kind !== 'open' || opening.launch.record.tenant !== target.tenant) return false
  if (target.kind === 'tenant') return true
  const { user, tenant } = opening.launch.record
  return (
    user.fhirUser === target.user ||
    user.subject === target.user ||
    pseudonyms.everyUser(tenant, user).includes(target.user)
  )
}

/** Ends and tells; the EHR's part runs beside it and is waited for at the end. */
function createWork(deps: RevocationDeps, { reason, request }: RevocationOrder) {
  const { store, vault, audit } = deps
  const ends = createEnds(deps)
  const story = { reason, request, actor: 'staff' } as const
  let count = 0

  const tell = (session: string, record: LaunchRecord): Promise<void> => {
    count += 1
    return ends.tell(session, record, story)
  }
  const end = async (key: LaunchKey): Promise<void> => {
    const stored = await store.readLaunch(key)
    if (stored === undefined || stored.ended !== '') return
    const record = await vault.end(key, 'revoked', story)
    if (record !== undefined) return tell(key.session, record)
    // Not to be opened, perhaps because its key is gone already: ended all the same.
    const after = await store.readLaunch(key)
    if (after?.ended !== 'revoked') return
    count += 1
    await audit.record(transitionOf({ launch: key.launch }, 'revoked', story))
    await vault.told(key)
  }

  return {
    count: () => count,
    endAll: (keys: readonly LaunchKey[]) => inParallel(keys, end),
    endSession: async (session: string): Promise<void> => {
      const records = await vault.endSession(session, 'revoked', story)
      for (const record of records) await tell(session, record)
      await ends.tellSession(session, story)
    },
    settled: () => ends.settled(),
  }
}

async function inParallel<T>(items: readonly T[], work: (item: T) => Promise<void>): Promise<void> {
  for (let start = 0; start < items.length; start += atOnce) {
    // oxlint-disable-next-line no-await-in-loop -- so many at once and no more
    await Promise.all(items.slice(start, start + atOnce).map(work))
  }
}
