import type { Audit, AuditEvent } from '../audit/event.ts'
import type { Claim, LaunchKey, Store } from '../store/store.ts'
import type { LaunchRecord } from './record.ts'
import type { Vault } from './vault.ts'

/**
 * Ends what is over (DESIGN.md, The life of a launch): every replica claims what is due, and whoever has claimed it
 * ends it, audits it and takes its tokens back. Activity moves no deadline here: what is claimed and turns out to live
 * is scheduled anew. A claim of a replica that died comes back to another.
 */
export interface Sweeper {
  start(): void
  /** One round; answers how many launches and sessions it ended. Never throws. */
  sweep(): Promise<number>
  stop(): Promise<void>
}

export interface SweeperDeps {
  readonly store: Pick<Store, 'claimDue' | 'settleDue' | 'readLaunch'>
  readonly vault: Pick<Vault, 'open' | 'end' | 'endSession'>
  readonly sessions: {
    deadline(session: string): Promise<{ readonly at: number; readonly clock: Clock } | undefined>
  }
  readonly audit: Pick<Audit, 'record'>
  /** Takes the tokens back at the EHR; bounded in time by itself. Never throws. */
  readonly revoke: (record: LaunchRecord) => Promise<void>
  /** A launch that lives is told to the index again: its writer may have died before it was. */
  readonly reindex: (key: LaunchKey, record: LaunchRecord) => Promise<void>
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
  const record = await vault.end(key, 'expired')
  if (record !== undefined) {
    await after.ended(transition(record, clockOf(record, now())), record)
  } else if (await isUntold(deps, key, opening.kind === 'missing')) {
    await after.ended(untold(key.launch))
  }
  await store.settleDue(claim)
  return record === undefined ? 0 : 1
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
    const records = await vault.endSession(session, 'expired')
    for (const record of records) {
      // oxlint-disable-next-line no-await-in-loop -- the audit keeps the order
      await after.ended(transition(record, deadline.clock), record)
    }
    await after.ended(sessionEnded(records, deadline.clock))
  }
  await store.settleDue(claim)
  return deadline === undefined ? 0 : 1
}

/**
 * Whether a replica died between ending it and writing its record, or all of them were away until its record was gone.
 * What anybody else ended he has audited himself.
 */
async function isUntold({ store }: SweeperDeps, key: LaunchKey, missing: boolean) {
  const stored = await store.readLaunch(key)
  return stored === undefined ? missing : stored.ended === 'expired'
}

const transition = (record: LaunchRecord, clock: Clock): AuditEvent => ({
  event: 'launch.transition',
  outcome: 'success',
  state: 'expired',
  tenant: record.tenant,
  mode: record.mode,
  launch: record.launch,
  user: record.user,
  ...(record.context.patient === undefined ? {} : { patient: record.context.patient }),
  reason: clock,
  actor: 'system',
})

const untold = (launch: string): AuditEvent => ({
  event: 'launch.transition',
  outcome: 'success',
  state: 'expired',
  launch,
  reason: 'record_missing',
  actor: 'system',
})

const sessionEnded = (records: readonly LaunchRecord[], clock: Clock): AuditEvent => ({
  event: 'session.ended',
  outcome: 'success',
  state: 'expired',
  count: records.length,
  reason: clock,
  actor: 'system',
})

const clockOf = ({ absoluteAt }: LaunchRecord, now: number): Clock =>
  absoluteAt <= now ? 'absolute' : 'idle'

interface Afterwards {
  /** Throws AUDIT_UNAVAILABLE, and has kept the event for the next round. */
  ended(event: AuditEvent, record?: LaunchRecord): Promise<void>
  tellHeld(): Promise<void>
  settled(): Promise<void>
}

/** What follows an end: its audit record, held until it can be written, and the EHR's part, which nobody waits for. */
function createAfterwards({ audit, revoke }: SweeperDeps): Afterwards {
  const held: AuditEvent[] = []
  const revocations = new Set<Promise<void>>()

  const startRevocation = async (record: LaunchRecord): Promise<void> => {
    if (revocations.size >= maxRevocations) await Promise.race(revocations)
    const one = revoke(record).finally(() => revocations.delete(one))
    revocations.add(one)
  }

  return {
    ended: async (event, record) => {
      if (record !== undefined) await startRevocation(record)
      try {
        await audit.record(event)
      } catch (error) {
        // Its claim is not settled, so that even if this process dies another one tells of it.
        if (held.length < maxUntold) held.push(event)
        throw error
      }
    },
    tellHeld: async () => {
      for (let event = held[0]; event !== undefined; event = held[0]) {
        // oxlint-disable-next-line no-await-in-loop -- the audit keeps the order
        await audit.record(event)
        held.shift()
      }
    },
    settled: async () => {
      await Promise.all(revocations)
    },
  }
}
