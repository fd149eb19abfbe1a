import { createHash } from 'node:crypto'

/** W3C Trace Context, 3.2: which trace and which span of it. `tracestate` and baggage are neither read nor sent. */
export interface TraceParent {
  readonly traceId: string
  readonly spanId: string
  readonly sampled: boolean
}

/**
 * Version 00 alone, lower-case hex, ids that are not all zeros (3.2.2); two headers, or anything else, is as if nothing
 * had come.
 */
const form = /^00-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-([0-9a-f]{2})$/

export function readTraceParent(
  header: string | readonly string[] | undefined,
): TraceParent | undefined {
  const match = typeof header === 'string' ? form.exec(header) : null
  if (match === null) return undefined
  const [, traceId = '', spanId = '', flags = ''] = match
  // 3.2.2.5.1: the lowest bit alone says so.
  return { traceId, spanId, sampled: (Number.parseInt(flags, 16) & 1) === 1 }
}

export function printTraceParent({ traceId, spanId, sampled }: TraceParent): string {
  return `00-${traceId}-${spanId}-${sampled ? '01' : '00'}`
}

/**
 * The trace of a launch, and the span of its first step. The launch id is 192 random bits, so nothing leads back to it;
 * the first 16 digits of the trace id are the launch's name in the audit.
 */
export function traceOfLaunch(launch: string): Pick<TraceParent, 'traceId' | 'spanId'> {
  const hash = createHash('sha256').update(launch).digest('hex')
  return { traceId: hash.slice(0, 32), spanId: hash.slice(32, 48) }
}
