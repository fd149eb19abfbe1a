import { z } from 'zod'
import type { Audit, AuditEvent } from '../audit/event.ts'
import { type AuditReason, reasons } from '../audit/reasons.ts'
import type { Deadline } from '../store/store.ts'
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
  /** Nobody knows whether the launch was created: one that is not is not to be created any more. */
  readonly unborn?: 'unborn' | undefined
}

/** An end that nobody has acknowledged. */
export interface UntoldStory {
  readonly state: FinalState
  readonly at: number
  readonly story: EndStory
  /** Undefined where what it held is not to be opened. */
  readonly record: LaunchRecord | undefined
}

/** The same of a session. */
export interface SessionStory extends Omit<UntoldStory, 'record'> {
  /** How many launches ended with it. */
  readonly launches: number
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
  story: EndStory,
): AuditEvent {
  const patient = record.context?.patient
  return {
    event: 'launch.transition',
    outcome: 'success',
    state,
    tenant: record.tenant,
    mode: record.mode,
    launch: record.launch,
    ...(record.user === undefined ? {} : { user: record.user }),
    ...(patient === undefined ? {} : { patient }),
    ...wordsOf(story),
  }
}

/** The same of a session. */
export const sessionEnded = ({ state, launches, story }: SessionStory): AuditEvent => ({
  event: 'session.ended',
  outcome: 'success',
  state,
  count: launches,
  ...wordsOf(story),
})

const wordsOf = ({ reason, actor, request, client }: EndStory) => ({
  ...(request === undefined ? {} : { request }),
  ...(client === undefined ? {} : { client }),
  ...(reason === undefined ? {} : { reason }),
  ...(actor === undefined ? {} : { actor }),
})

export interface EndsDeps {
  readonly vault: Pick<Vault, 'told' | 'untoldSession'>
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
  /**
   * The end of a session, where it is by this story; its launches are told of one by one. Throws AUDIT_UNAVAILABLE; what
   * a store fault hides is left to the sweeper.
   */
  tellSession(session: string, story: EndStory): Promise<void>
  settled(): Promise<void>
}

export function createEnds({ vault, audit, revoke }: EndsDeps): Ends {
  const running = new Set<Promise<unknown>>()
  /**
   * Only once both are done: should this process die between them, the sweeper does both again. A record that could not
   * be written is held by the audit until it can be (src/audit/recorder.ts).
   */
  const settle = async (what: Deadline, done: readonly Promise<void>[]): Promise<void> => {
    await Promise.allSettled(done)
    await vault.told(what).catch(() => undefined)
  }
  return {
    tell: async (session, record, story) => {
      const written = audit.record(transitionOf(record, endState(record), story))
      const key = { session, launch: record.launch }
      const one = settle(key, [revoke(record), written]).finally(() => running.delete(one))
      running.add(one)
      await written
    },
    tellSession: async (session, { request }) => {
      const untold = await vault.untoldSession(session).catch(() => undefined)
      if (untold === undefined || untold.story.request !== request) return
      const written = audit.record(sessionEnded(untold))
      const one = settle({ session, launch: undefined }, [written]).finally(() =>
        running.delete(one),
      )
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
