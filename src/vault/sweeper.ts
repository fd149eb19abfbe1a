import type { Audit, AuditEvent } from '../audit/event.ts'
import type { Claim, Deadline, LaunchKey, Store } from '../store/store.ts'
import { sessionEnded, tellWithinMs, transitionOf } from './ends.ts'
import type { FinalState, LaunchRecord } from './record.ts'
import type { Opening, Vault } from './vault.ts'

/**
 * Ends what is over (DESIGN.md, The life of a launch): every replica claims what is due, and whoever has claimed it
 * ends it, audits it and takes its tokens back. Activity moves no deadline here: what is claimed and turns out to live
 * is scheduled anew. A claim of a replica that died comes back to another. What somebody ended and nobody has told of,
 * because he died or the store's answer was lost, is told here.
 */
export interface Sweeper {
  start(): void
  /** One round; answers how many launches and sessions it ended. Never throws. */
  sweep(): Promise<number>
  stop(): Promise<void>
}

export interface SweeperDeps {
  readonly store: Pick<Store, 'claimDue' | 'settleDue' | 'readLaunch'>
  readonly vault: Pick<Vault, 'open' | 'end' | 'endSession' | 'untold' | 'untoldSession' | 'told'>
  readonly sessions: {
    deadline(session: string): Promise<{ readonly at: number; readonly clock: Clock } | undefined>
  }
  readonly audit: Pick<Audit, 'record'>
  /** Takes the tokens back at the EHR; bounded in time by itself. Never throws. */
  readonly revoke: (record: LaunchRecord) => Promise<void>
  /** A launch that lives is told to the index again: its writer may have died before it was. */
  readonly reindex: (key: LaunchKey, record: LaunchRecord) => Promise<void>
  /** With the session that the launch was part of (DESIGN rule 15). */
  readonly forgetDraft: (record: LaunchRecord) => Promise<void>
  readonly now: () => number
}

type Clock = 'idle' | 'absolute'

const roundMs = 1_000
const perRound = 100
/** Longer than a round takes; a replica that dies holds up its share for so long. */
const hideMs = 60_000
const maxUntold = 10_000
const maxRevocations = 200

export function createSweeper(deps: SweeperDeps): Sweeper {
  const { store } = deps
  const after = createAfterwards(deps)
  let timer: NodeJS.Timeout | undefined
  let round: Promise<number> = Promise.resolve(0)

  const carryOut = async (): Promise<number> => {
    try {
      await after.tellHeld()
      const claims = await store.claimDue({ limit: perRound, hideMs })
      const ended = await Promise.allSettled(claims.map((claim) => settle(deps, after, claim)))
      return ended.reduce((sum, one) => sum + (one.status === 'fulfilled' ? one.value : 0), 0)
    } catch {
      // The store or the audit is down, which health tells; the claims come back.
      return 0
    }
  }
  const sweep = (): Promise<number> => {
    round = round.then(carryOut)
    return round
  }
  const sweepAndWait = async (): Promise<void> => {
    await sweep()
    if (timer !== undefined) timer = setTimeout(() => void sweepAndWait(), roundMs).unref()
  }

  return {
    start: () => {
      timer = setTimeout(() => void sweepAndWait(), roundMs * Math.random()).unref()
    },
    sweep,
    stop: async () => {
      clearTimeout(timer)
      timer = undefined
      await round
      await after.settled()
    },
  }
}

/** Answers how many it ended. */
async function settle(deps: SweeperDeps, after: Afterwards, claim: Claim): Promise<number> {
  const { session, launch } = claim
  return launch === undefined
    ? settleSession(deps, after, claim)
    : settleLaunch(deps, after, claim, { session, launch })
}

async function settleLaunch(
  deps: SweeperDeps,
  after: Afterwards,
  claim: Claim,
  key: LaunchKey,
): Promise<number> {
  const { store, vault, now } = deps
  const opening = await vault.open(key)
  if (opening.kind === 'open') {
    const { record, idleAt } = opening.launch
    await deps.reindex(key, record)
    await store.settleDue(claim, Math.max(Math.min(idleAt, record.absoluteAt), now() + 1))
    return 0
  }
  const unreadable = opening.kind === 'missing' ? await store.readLaunch(key) : undefined
  if (unreadable?.ended === '' && unreadable.idleAt > now()) {
    // Sealed under a key that this replica does not have yet: it is not ours to end early.
    await store.settleDue(claim, unreadable.idleAt)
    return 0
  }
  const record = await vault.end(key, 'expired', bySystem)
  if (record === undefined) {
    await tellLate(deps, after, claim, { key, opening, justEnded: unreadable?.ended === '' })
    return 0
  }
  const reason = clockOf(record, now())
  await after.ended(key, transitionOf(record, 'expired', { ...bySystem, reason }), record)
  await store.settleDue(claim)
  return 1
}

const bySystem = { actor: 'system', visited: true } as const

/** Somebody else has ended it, or it is not to be opened, or all replicas were away until its record was gone. */
async function tellLate(
  { store, vault, forgetDraft, now }: SweeperDeps,
  after: Afterwards,
  claim: Claim,
  ended: { key: LaunchKey; opening: Opening; justEnded: boolean },
): Promise<void> {
  const { key, opening, justEnded } = ended
  const untold = await vault.untold(key)
  if (untold === undefined) {
    const missing = opening.kind === 'missing' && (await store.readLaunch(key)) === undefined
    if (missing) await after.ended(key, withoutRecord(key.launch, 'expired'))
    return store.settleDue(claim)
  }
  const { at, state, story, record } = untold
  const tellAt = Math.min(at, now()) + tellWithinMs
  // Whoever ended it may be at it.
  if (!justEnded && tellAt > now()) return store.settleDue(claim, tellAt)
  // A draft of a session that has begun since is not to go with this one.
  const fresh = now() - at < 2 * tellWithinMs
  if (record !== undefined && story.forgetDraft === true && fresh) await forgetDraft(record)
  const reason = story.reason ?? (record && state === 'expired' ? clockOf(record, at) : undefined)
  const event =
    record === undefined
      ? withoutRecord(key.launch, state)
      : transitionOf(record, state, { ...story, reason })
  await after.ended(key, event, record)
  await store.settleDue(claim)
}

async function settleSession(deps: SweeperDeps, after: Afterwards, claim: Claim): Promise<number> {
  const { store, vault, sessions, now } = deps
  const { session } = claim
  const deadline = await sessions.deadline(session)
  if (deadline !== undefined && deadline.at > now()) {
    await store.settleDue(claim, deadline.at)
    return 0
  }
  if (deadline !== undefined) {
    const story = { ...bySystem, reason: deadline.clock }
    const records = await vault.endSession(session, 'expired', story)
    for (const record of records) {
      // oxlint-disable-next-line no-await-in-loop -- the audit keeps the order
      await after.ended(
        { session, launch: record.launch },
        transitionOf(record, 'expired', story),
        record,
      )
    }
  }
  // Just ended here, or by somebody else who died or never heard of it.
  const untold = await vault.untoldSession(session)
  const tellAt = untold === undefined ? 0 : Math.min(untold.at, now()) + tellWithinMs
  if (untold !== undefined && deadline === undefined && tellAt > now()) {
    await store.settleDue(claim, tellAt)
    return 0
  }
  if (untold !== undefined) await after.ended({ session, launch: undefined }, sessionEnded(untold))
  await store.settleDue(claim)
  return deadline === undefined ? 0 : 1
}

const withoutRecord = (launch: string, state: FinalState): AuditEvent => ({
  event: 'launch.transition',
  outcome: 'success',
  state,
  launch,
  reason: 'record_missing',
  actor: 'system',
})

const clockOf = ({ absoluteAt }: LaunchRecord, now: number): Clock =>
  absoluteAt <= now ? 'absolute' : 'idle'

interface Afterwards {
  /** Throws AUDIT_UNAVAILABLE, and has kept the event for the next round. */
  ended(what: Deadline, event: AuditEvent, record?: LaunchRecord): Promise<void>
  tellHeld(): Promise<void>
  settled(): Promise<void>
}

interface Held {
  readonly what: Deadline
  readonly event: AuditEvent
}

/** What follows an end: its audit record, held until it can be written, and the EHR's part, which nobody waits for. */
function createAfterwards({ audit, vault, revoke }: SweeperDeps): Afterwards {
  const held: Held[] = []
  const revocations = new Set<Promise<void>>()

  const startRevocation = async (record: LaunchRecord): Promise<void> => {
    if (revocations.size >= maxRevocations) await Promise.race(revocations)
    const one = revoke(record).finally(() => revocations.delete(one))
    revocations.add(one)
  }
  const tell = async ({ what, event }: Held): Promise<void> => {
    await audit.record(event)
    await vault.told(what).catch(() => undefined)
  }

  return {
    ended: async (what, event, record) => {
      if (record !== undefined) await startRevocation(record)
      try {
        await tell({ what, event })
      } catch (error) {
        // Its claim is not settled, so that even if this process dies another one tells of it. Ends by others than the
        // sweeper are held by the audit itself (src/audit/recorder.ts).
        if (event.state === 'expired' && held.length < maxUntold) held.push({ what, event })
        else await vault.told(what).catch(() => undefined)
        throw error
      }
    },
    tellHeld: async () => {
      for (let one = held[0]; one !== undefined; one = held[0]) {
        // oxlint-disable-next-line no-await-in-loop -- the audit keeps the order
        await tell(one)
        held.shift()
      }
    },
    settled: async () => {
      await Promise.all(revocations)
    },
  }
}
