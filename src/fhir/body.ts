import type { IncomingMessage } from 'node:http'
import { refuse } from './decision.ts'
import type { Refusal } from './decision.ts'
import type { BodyKind } from './steps/parse.ts'

/** Reads a request's body, of the one media type it must have and within its limit (DESIGN rule 17). */
interface BodyShape {
  readonly contentType: RegExp
  readonly maxBytes: number
}

const shapes: Readonly<Record<Exclude<BodyKind, 'none'>, BodyShape>> = {
  search: {
    contentType: /^application\/x-www-form-urlencoded(?:\s*;\s*charset\s*=\s*"?utf-8"?)?\s*$/i,
    maxBytes: 65_536,
  },
  resource: { contentType: json('application/(?:fhir\\+)?json'), maxBytes: 4_194_304 },
  patch: { contentType: json('application/json-patch\\+json'), maxBytes: 1_048_576 },
  parameters: { contentType: json('application/(?:fhir\\+)?json'), maxBytes: 1_048_576 },
  bundle: { contentType: json('application/(?:fhir\\+)?json'), maxBytes: 4_194_304 },
}

function json(type: string): RegExp {
  return new RegExp(`^${type}(?:\\s*;\\s*charset\\s*=\\s*"?utf-8"?)?\\s*$`, 'i')
}

const maxWaitMs = 15_000

/** Undefined: there is none, as it should be. */
export function refuseBody({ headers }: IncomingMessage): Refusal | undefined {
  const length = Number(headers['content-length'] ?? 0)
  const empty = headers['transfer-encoding'] === undefined && length === 0
  return empty ? undefined : refuse('FHIR_BODY_INVALID', 'malformed')
}

export async function readBody(
  incoming: IncomingMessage,
  kind: Exclude<BodyKind, 'none'>,
  hold: (bytes: number) => boolean,
): Promise<Buffer | Refusal> {
  const { headers } = incoming
  const length = Number(headers['content-length'] ?? 0)
  const { contentType, maxBytes } = shapes[kind]
  if (headers['content-encoding'] !== undefined) return refuse('FHIR_BODY_INVALID', 'content_type')
  if (!contentType.test(headers['content-type'] ?? '')) {
    return refuse('FHIR_BODY_INVALID', 'content_type')
  }
  if (length > maxBytes) return refuse('FHIR_BODY_TOO_LARGE')
  return collect(incoming, maxBytes, hold)
}

async function collect(
  incoming: IncomingMessage,
  maxBytes: number,
  hold: (bytes: number) => boolean,
): Promise<Buffer | Refusal> {
  const chunks: Buffer[] = []
  let size = 0
  const timer = setTimeout(() => incoming.destroy(), maxWaitMs)
  try {
    for await (const chunk of incoming as AsyncIterable<Buffer>) {
      size += chunk.length
      if (size > maxBytes) return refuse('FHIR_BODY_TOO_LARGE')
      if (!hold(chunk.length)) return { ...refuse('FHIR_EHR_UNAVAILABLE'), retryAfter: '1' }
      chunks.push(chunk)
    }
  } catch {
    return refuse('FHIR_BODY_INVALID', 'malformed')
  } finally {
    clearTimeout(timer)
  }
  return Buffer.concat(chunks, size)
}
