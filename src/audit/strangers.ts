import type { AuditEvent } from './event.ts'

/**
 * Refusals of strangers are the one kind of record that anybody on the network can cause. The first ones of an address
 * in a minute are written; the others are counted, and the count is written when the minute is over. Together they stay
 * within a quota a minute, so that nobody can fill the disk (DESIGN.md, Stored records; rule 17).
 */
export interface Strangers {
  /** True: write it. False: it was counted. */
  admit(event: AuditEvent, at: number): boolean
  /** The counts of the minutes that are over. */
  takeCounts(at: number): readonly AuditEvent[]
}

export interface StrangerLimits {
  readonly perAddress: number
  readonly perMinute: number
  readonly addresses: number
}

/** A whole hospital may stand behind one address, and the number on each of its pages should find a record. */
const defaultLimits: StrangerLimits = { perAddress: 60, perMinute: 300, addresses: 200 }
const minuteMs = 60_000

interface Count {
  seen: number
  counted: number
}

export function createStrangers(limits: StrangerLimits = defaultLimits): Strangers {
  let minute = 0
  let written = 0
  let counts = new Map<string, Count>()
  /** Of addresses that came when the list was full. */
  let others = 0
  let over: AuditEvent[] = []

  function turn(at: number): void {
    const now = Math.floor(at / minuteMs)
    if (now === minute) return
    for (const [client, { counted }] of counts) {
      if (counted > 0) over.push(countOf(counted, client))
    }
    if (others > 0) over.push(countOf(others, undefined))
    minute = now
    written = 0
    counts = new Map()
    others = 0
  }

  function countFor(client: string): Count | undefined {
    const known = counts.get(client)
    if (known !== undefined || counts.size >= limits.addresses) return known
    const count = { seen: 0, counted: 0 }
    counts.set(client, count)
    return count
  }

  return {
    admit(event, at) {
      if (!isOfStranger(event)) return true
      turn(at)
      const count = countFor(event.client ?? 'unknown')
      if (count === undefined) {
        others += 1
        return false
      }
      count.seen += 1
      if (count.seen <= limits.perAddress && written < limits.perMinute) {
        written += 1
        return true
      }
      count.counted += 1
      return false
    },
    takeCounts(at) {
      turn(at)
      const taken = over
      over = []
      return taken
    },
  }
}

/** Nothing is known of who asked. A user who is refused is never merely counted, nor is a launch that failed. */
function isOfStranger({ event, user, launch }: AuditEvent): boolean {
  if (user !== undefined) return false
  // A callback with a state that nobody drew has no launch.
  return refusals.has(event) || (event === 'launch.failed' && launch === undefined)
}

const refusals: ReadonlySet<AuditEvent['event']> = new Set([
  'request.refused',
  'launch.refused',
  'staff.refused',
])

function countOf(count: number, client: string | undefined): AuditEvent {
  return {
    event: 'request.refused',
    outcome: 'refused',
    client,
    count,
    reason: 'repeated',
    actor: 'stranger',
  }
}
