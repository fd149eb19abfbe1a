import type { IncomingMessage } from 'node:http'
import type { Audit } from '../audit/event.ts'
import type { SessionCookies } from '../session/cookies.ts'
import type { Store } from '../store/store.ts'
import type { Tracing } from '../tracing/tracing.ts'
import type { RememberingVault } from '../vault/memory.ts'
import type { Tokens } from '../vault/vault.ts'
import type { AwayJudge } from './away/away-judge.ts'
import type { Prove } from './guard/prove.ts'
import type { LaunchRate } from './resilience/launch-rate.ts'
import type { Links } from './links.ts'
import type { Upstreams } from './upstreams.ts'
import type { Views } from './view.ts'

/** What the FHIR proxy needs of the other stations. */
export interface FhirDeps {
  /** Origin, without a slash at its end. */
  readonly publicUrl: string
  /** ISO 8601; the date of our CapabilityStatements. */
  readonly startedAt: string
  readonly cookies: Pick<SessionCookies, 'inspect'>
  readonly vault: Pick<RememberingVault, 'open'>
  readonly tokens: Tokens
  readonly audit: Audit
  readonly views: Views
  readonly links: Links
  readonly away: Pick<AwayJudge, 'judge' | 'look' | 'make' | 'split'>
  readonly upstreams: Upstreams
  readonly rate: LaunchRate
  readonly store: Pick<
    Store,
    | 'claimIdempotent'
    | 'putIdempotent'
    | 'deleteIdempotent'
    | 'putConfirmation'
    | 'takeConfirmation'
  >
  /** The browser's address as far as trustProxy lets it be believed. */
  readonly clientAddress: (incoming: IncomingMessage) => string
  readonly log: FhirLog
  /** Undefined where it is not configured. */
  readonly tracing?: Tracing | undefined
}

/** With what the door makes for itself. */
export interface PipelineDeps extends FhirDeps {
  readonly prove: Prove
}

/** Faults of our own, for the application log. */
export interface FhirLog {
  fault(error: unknown, incident: string): void
}
