import type { IncomingMessage } from 'node:http'
import type { SpanWords } from './words.ts'

/**
 * What a station sees of tracing; where it is not configured there is none to see (`undefined`). A launch is one trace:
 * its id is made from the launch id, so that /launch, /callback and every FHIR request meet in it and nothing is stored.
 */
export interface Tracing {
  begin(name: RequestSpan, request: TracedRequest): Trace
  /** Sends what is left, within a limit. Never throws. */
  close(): Promise<void>
}

export type RequestSpan = 'launch' | 'callback' | 'fhir'

/** `launch.open`: the store's trip to the launch. `token`: the wait for a refresh. `ehr`: the EHR's answer, its queue included. */
export type StepSpan = 'launch.open' | 'token' | 'ehr' | 'ehr.exchange' | 'session.join'

export interface TracedRequest {
  readonly incoming: IncomingMessage
  /** The incident number: it leads from a trace to the audit and back. */
  readonly incident: string
}

export interface Trace {
  /** A launch that was drawn here or proved to be this browser's: what a stranger names chooses no trace. */
  belongsTo(launch: string): void
  /** `startedAt` is of `performance.now()`, for a step that is over when it is told. */
  step(name: StepSpan, startedAt?: number): Step
  /** The first counts. */
  end(words: SpanWords): void
}

export interface Step {
  /** For the EHR, where the configuration passes it on. */
  readonly traceparent: string | undefined
  end(words: SpanWords): void
}
