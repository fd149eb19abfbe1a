import { z } from 'zod'
import type { Audit, AuditEvent } from '../audit/event.ts'
import { type AuditReason, reasons } from '../audit/reasons.ts'
import type { LaunchKey } from '../store/store.ts'
import { readJson } from './record-text.ts'
import type { FinalState, LaunchRecord } from './record.ts'
import type { Vault } from './vault.ts'

/**
 * What follows an end: its audit record and the EHR's part. Whoever ends a launch leaves with it, sealed, what its record
 * is to say; should he die, or never hear that it ended, the sweeper tells of it (DESIGN.md, The life of a launch).
 */
export interface EndStory {
  readonly reason?: AuditReason | undefined
  /** Who acted, where it was not the user. */
  readonly actor?: string | undefined
  /** The incident number. */
  readonly request?: string | undefined
  readonly client?: string | undefined
  /** The drafts go with the session (DESIGN rule 15). */
  readonly forgetDraft?: boolean | undefined
  /** It has a deadline soon without this end: its first one, or the claim of the sweeper who ends it. */
  readonly visited?: boolean | undefined
}

/** An end that nobody has acknowledged. */
export interface UntoldStory {
  readonly state: FinalState
  readonly at: number
  readonly story: EndStory
  /** Undefined where what it held is not to be opened. */
  readonly record: LaunchRecord | undefined
}

/** Longer than its own teller takes: the audit's two seconds, and the EHR's answer to the revocation. */
export const tellWithinMs = 30_000

export function writeStory(story: EndStory, at: number): string {
  const { reason, actor, request, client, forgetDraft } = story
  return JSON.stringify({ at, reason, actor, request, client, forgetDraft })
}

const storyShape = z.object({
  at: z.number(),
  reason: z.string().optional(),
  actor: z.string().optional(),
  request: z.string().optional(),
  client: z.string().optional(),
  forgetDraft: z.boolean().optional(),
})

/** What cannot be read is a story without words, and long ago. */
export function readStory(text: string | undefined): { at: number; story: EndStory } {
  const { data } = storyShape.safeParse(text === undefined ? undefined : readJson(text))
  if (data === undefined) return { at: 0, story: {} }
  const { at, reason, ...story } = data
  return {
    at,
    story: { ...story, reason: reason !== undefined && isReason(reason) ? reason : undefined },
  }
}

const isReason = (word: string): word is AuditReason => reasons.has(word)

/** The record of an end, by whomever it is told. */
export function transitionOf(
  record: Pick<LaunchRecord, 'launch'> & Partial<LaunchRecord>,
  state: FinalState,
  { reason, actor, request, client }: EndStory,
): AuditEvent {
  const patient = record.context?.patient
  return {
    event: 'launch.transition',
    outcome: 'success',
    state,
    tenant: record.tenant,
    mode: record.mode,
    launch: record.launch,
    ...(request === undefined ? {} : { request }),
    ...(client === undefined ? {} : { client }),
    ...(record.user === undefined ? {} : { user: record.user }),
    ...(patient === undefined ? {} : { patient }),
    ...(reason === undefined ? {} : { reason }),
    ...(actor === undefined ? {} : { actor }),
  }
}

export interface EndsDeps {
  readonly vault: Pick<Vault, 'told'>
  readonly audit: Pick<Audit, 'record'>
  /** Takes the tokens back at the EHR; bounded in time by itself. Its failure changes nothing here. */
  readonly revoke: (record: LaunchRecord) => Promise<void>
}

export interface Ends {
  /**
   * Resolves once the record is written; nobody waits for the EHR. Throws AUDIT_UNAVAILABLE.
   * `record` as `Vault.end` answers it.
   */
  tell(session: string, record: LaunchRecord, story: EndStory): Promise<void>
  settled(): Promise<void>
}

export function createEnds({ vault, audit, revoke }: EndsDeps): Ends {
  const running = new Set<Promise<unknown>>()
  /**
   * Only once both are done: should this process die between them, the sweeper does both again. A record that could not
   * be written is held by the audit until it can be (src/audit/recorder.ts).
   */
  const settle = async (key: LaunchKey, done: readonly Promise<void>[]): Promise<void> => {
    await Promise.allSettled(done)
    await vault.told(key).catch(() => undefined)
  }
  return {
    tell: async (session, record, story) => {
      const written = audit.record(transitionOf(record, endState(record), story))
      const key = { session, launch: record.launch }
      const one = settle(key, [revoke(record), written]).finally(() => running.delete(one))
      running.add(one)
      await written
    },
    settled: async () => {
      await Promise.all(running)
    },
  }
}

/** `Vault.end` answers the record in its final state. */
const endState = ({ state }: LaunchRecord): FinalState =>
  state === 'active' || state === 'reauth_required' ? 'ended' : state
