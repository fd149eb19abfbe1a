import type { Where } from './log.ts'

/** Something that goes wrong on purpose. The first fault that matches a request happens. */
export type Fault = {
  readonly where: Where | 'any'
  readonly match?: {
    readonly method?: string
    /** A regular expression over path and query. */
    readonly path?: string
  }
  /** How often it happens; without it, always. */
  readonly times?: number
} & FaultKind

export type FaultKind =
  /** Answers with this status (and body) and does nothing. */
  | {
      readonly kind: 'status'
      readonly status: number
      readonly body?: unknown
      readonly contentType?: string
      readonly headers?: Readonly<Record<string, string>>
    }
  /** Cuts the connection before anything is done. */
  | { readonly kind: 'reset' }
  /** Does what was asked, then cuts the connection without an answer. */
  | { readonly kind: 'reset-after' }
  /** Answers late. */
  | { readonly kind: 'delay'; readonly delayMs: number }
  /** Answers late, after having done what was asked. */
  | { readonly kind: 'delay-after'; readonly delayMs: number }
  /** Does what was asked and answers 200 with this body. */
  | { readonly kind: 'body'; readonly body: unknown; readonly contentType?: string }
  /** Announces the whole answer and sends half of it. */
  | { readonly kind: 'truncate' }
  /** Redirects somewhere else. */
  | { readonly kind: 'redirect'; readonly location: string }
  /** Puts another patient's record into a FHIR answer. */
  | { readonly kind: 'leak'; readonly position: LeakPosition; readonly patient?: string }

/** Where in the answer the foreign record stands. */
export type LeakPosition =
  | 'entry'
  | 'first-entry'
  | 'include'
  | 'outcome-entry'
  | 'contained'
  | 'instead'
  | 'nested-bundle'
  | 'parameters'
  | 'subject-only'
  | 'history'

/** The faults that are set, taking each one's `times` down as it happens. */
export interface Faults {
  list(): readonly Fault[]
  set(faults: readonly Fault[]): void
  take(where: Where, method: string, path: string): Fault | undefined
}

export function createFaults(): Faults {
  let active: { fault: Fault; left: number }[] = []
  return {
    list: () => active.map(({ fault }) => fault),
    set(faults) {
      active = faults.map((fault) => ({ fault, left: fault.times ?? Number.POSITIVE_INFINITY }))
    },
    take(where, method, path) {
      const found = active.find(
        ({ fault, left }) =>
          left > 0 &&
          (fault.where === where || fault.where === 'any') &&
          (fault.match?.method === undefined || fault.match.method === method) &&
          (fault.match?.path === undefined || new RegExp(fault.match.path).test(path)),
      )
      if (found === undefined) return undefined
      found.left -= 1
      active = active.filter(({ left }) => left > 0)
      return found.fault
    },
  }
}
