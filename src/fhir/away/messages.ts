import type { JsonObject } from '../../smart/json.ts'
import type { OutcomeIssue } from '../../smart/outcome.ts'
import type { Coverage } from '../../smart/scopes.ts'
import type { Refusal } from '../decision.ts'
import type { Expectation } from '../expectation.ts'
import type { EntryOutcome } from '../judge-batch.ts'
import type { Merge } from '../merged.ts'
import type { FhirRequest } from '../request.ts'
import type { Rewritten } from '../rewriter.ts'
import type { SplitBundle } from '../split-bundle.ts'
import type { Made, MakeQuestion } from '../write/make.ts'
import type { Shown } from '../write/same-person.ts'

/** What crosses the border to the worker and back: plain data, each question with the number that its answer has too. */
export interface AwayPart {
  readonly expected: Omit<Expectation, 'permits'>
  /** What `permits` says of each type; a type that is not here is none. */
  readonly coverage: Readonly<Record<string, Coverage>>
  readonly request: FhirRequest
}

export interface AwayAsk {
  readonly number: number
  readonly bytes: Uint8Array
  readonly iss: string
  readonly base: string
  readonly publicUrl: string
  readonly launch: string
  readonly linkKeys: readonly Uint8Array[]
  /** One for an answer; one for each entry of a batch, and the type of the bundle that answers it. */
  readonly parts: readonly AwayPart[]
  readonly batch: string | undefined
}

/** What is asked of an answer that is not passed on: a `$validate`, the Patient for a merge, the EHR's capabilities. */
export interface LookAsk {
  readonly number: number
  readonly bytes: Uint8Array
  readonly merge: Merge | undefined
  readonly person?: PersonAsk
}

/** The Patient by which a confirmation is judged, and what the app displays. */
export interface PersonAsk {
  readonly part: AwayPart
  readonly shown: Shown
}

export interface Looked {
  readonly kind: 'looked'
  /** Of an OperationOutcome. */
  readonly issues: readonly OutcomeIssue[]
  readonly allWell: boolean
  /** Of a Patient: it replaces the other one. */
  readonly replaced: boolean
  /** Of a Patient, judged first like any read: the one who is displayed. */
  readonly samePerson: boolean
  /** Of a CapabilityStatement, what ours is made from. */
  readonly statement: JsonObject | undefined
}

/** A write whose records are large. */
export interface MakeAsk {
  readonly number: number
  /** What the app sent. */
  readonly bytes: Uint8Array
  /** What the EHR has now. */
  readonly stored: Uint8Array | undefined
  readonly question: Omit<MakeQuestion, 'body' | 'stored'> & { readonly etag: string | undefined }
  readonly make: AwayPart
  readonly iss: string
  readonly publicUrl: string
  readonly launch: string
  readonly linkKeys: readonly Uint8Array[]
}

/** A bundle of requests that is large. */
export interface SplitAsk {
  readonly number: number
  readonly bytes: Uint8Array
  readonly split: true
}

export type Ask = AwayAsk | LookAsk | MakeAsk | SplitAsk

export interface AwayAnswer {
  readonly number: number
  readonly result: AwayResult
}

export type AwayResult = RewrittenAway | Looked | Made | SplitBundle | Refusal

/** Judged and rewritten already: nothing is left to do but to record and respond. */
export interface RewrittenAway extends Rewritten {
  readonly kind: 'rewritten'
  /** Of a batch: what came of each entry. */
  readonly outcomes?: readonly EntryOutcome[]
}
