import type { IncomingMessage, ServerResponse } from 'node:http'
import type { ErrorCode } from '../errors.ts'
import type { LaunchKey } from '../store/store.ts'
import type { Trace } from '../tracing/tracing.ts'
import type { OpenLaunch } from '../vault/vault.ts'
import type { FhirRequest, Parameter } from './request.ts'
import type { Listener } from './upstream.ts'
import type { LaunchView } from './view.ts'

/**
 * One request on its way. The pipeline writes down here what becomes known, for the record at the end: whatever
 * happens, the audit says as much as was learned (DESIGN rule 8).
 */
export interface Exchange {
  readonly incoming: IncomingMessage
  readonly outgoing: ServerResponse
  /** The incident number: `request` in the audit, SMART-BFF-Request in the answer. */
  readonly incident: string
  readonly startedAt: number
  readonly client: string
  readonly listener: Listener
  /** Undefined where nothing is traced. */
  readonly trace: Trace | undefined
  launch: string | undefined
  view: LaunchView | undefined
  opened: OpenLaunch | undefined
  request: FhirRequest | undefined
  rule: string | undefined
  /** What scopes and the patient in context added to the search. */
  narrowed: readonly Parameter[]
  upstreamStatus: number | undefined
  /** The id that a create was given. */
  savedId: string | undefined
  /** From the moment a write may have reached the EHR (DESIGN rule 8). */
  writeSent: boolean
  /** Why it was answered with a refusal. */
  refused: ErrorCode | undefined
}

/** A launch that is open to this browser. */
export interface OpenedLaunch {
  readonly key: LaunchKey
  readonly opened: OpenLaunch
  readonly view: LaunchView
}

/** What the browser gets, once the record is written. */
export interface Reply {
  readonly kind: 'reply'
  readonly status: number
  readonly body: Buffer
  readonly headers: Readonly<Record<string, string>>
  readonly count: number | undefined
  /** Without a patient in context: whom the answer was about. */
  readonly patients: readonly string[]
  /** Something was held back, or had been done before: a word for the audit. */
  readonly reason: 'dropped' | 'link_outside' | 'repeated' | undefined
}
