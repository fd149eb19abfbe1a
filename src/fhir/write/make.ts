import { isJsonObject } from '../../smart/json.ts'
import type { JsonObject } from '../../smart/json.ts'
import { isRefusal, refuse } from '../decision.ts'
import type { Refusal } from '../decision.ts'
import { parseExact } from '../exact-json.ts'
import type { Expectation } from '../expectation.ts'
import { judgeAnswer } from '../judge-bundle.ts'
import type { UpstreamUrls } from '../upstream-url.ts'
import { binaryUrls, bringsBinary } from './attachments.ts'
import { opaqueTag } from './if-match.ts'
import { judgeBody, keepsIdentity } from './judge-body.ts'
import { applyPatch, parsePatch } from './json-patch.ts'
import { restoreUrls } from './restore.ts'
import type { Restorer } from './restore.ts'

/**
 * Judges the record that is stored and the one that is to be, and makes what goes to the EHR: from the judged value,
 * never the bytes that came in. No I/O: where the records are large, a worker does it (../away/away.ts).
 */
export interface MakeQuestion {
  readonly interaction: 'create' | 'update' | 'patch' | 'delete'
  /** As the app sent it; of a deletion nothing. */
  readonly body: Uint8Array
  /** The record as the EHR has it now; undefined where there is none yet. */
  readonly stored: StoredBytes | undefined
  /** The version that the app named: the opaque part of its If-Match. */
  readonly asked: string | undefined
  /** The rule lets a write go without a version. */
  readonly unversioned: boolean
  /** What the other entries of a transaction create: type by `urn:uuid:…`. */
  readonly siblings: Siblings
}

export interface StoredBytes {
  readonly bytes: Uint8Array
  readonly etag: string | undefined
}

export type Siblings = Readonly<Record<string, string>>

export interface Made {
  readonly kind: 'made'
  /** What is sent; undefined for a deletion. */
  readonly body: Uint8Array | undefined
  /** The record that there would be, for $validate: the same as is sent, but for a patch. */
  readonly result: Uint8Array | undefined
  /** To be sent as If-Match; undefined where the EHR gives no versions. */
  readonly etag: string | undefined
}

/** The way back of URLs, and where the EHR's Binaries are. */
export interface MakeTools {
  readonly restorer: Restorer
  readonly urls: UpstreamUrls
}

export function makeWrite(
  question: MakeQuestion,
  expected: Expectation,
  { restorer, urls }: MakeTools,
): Made | Refusal {
  const stored = judgeStored(question, expected)
  if (stored !== undefined && isRefusal(stored)) return stored
  const { interaction, body, siblings } = question
  const etag = stored?.etag
  if (interaction === 'delete') return { kind: 'made', body: undefined, result: undefined, etag }
  const value = restoreUrls(parseExact(bufferOf(body)), restorer)
  const judge = (written: unknown): JsonObject | Refusal => {
    const judged = judgeBody(written, expected, siblings)
    if (isRefusal(judged) || expected.patient === undefined) return judged
    // It leads to no attachment that nobody has judged.
    const known = new Set([...restorer.attachments, ...binaryUrls(stored?.value, urls)])
    return bringsBinary(judged, known, urls) ? refuse('FHIR_PATIENT_FOREIGN', 'no_subject') : judged
  }
  if (interaction === 'patch') return makePatch(value, stored, expected, judge)
  const judged = judge(value)
  if (isRefusal(judged)) return judged
  // A new record gets its id from the EHR.
  const { id: _, ...fresh } = judged
  const bytes = print(interaction === 'create' ? fresh : judged)
  return { kind: 'made', body: bytes, result: bytes, etag }
}

interface Stored {
  readonly value: JsonObject
  readonly etag: string | undefined
}

/** Judged like a read, and of the version that the app has seen: nobody else's record is ever written to. */
function judgeStored(
  { stored, asked, unversioned }: MakeQuestion,
  expected: Expectation,
): Stored | Refusal | undefined {
  if (stored === undefined) return undefined
  const judged = judgeAnswer(parseExact(bufferOf(stored.bytes)), expected)
  if (isRefusal(judged)) return judged
  const meta = judged.value['meta']
  const version = isJsonObject(meta) ? meta['versionId'] : undefined
  const etag = stored.etag ?? (typeof version === 'string' ? `W/"${version}"` : undefined)
  const tag = opaqueTag(etag)
  // A record that need not have existed may be there all the same: then it is changed like any other.
  const named = asked !== undefined && tag !== undefined
  if (!named && !unversioned) return refuse('FHIR_VERSION_REQUIRED')
  if (asked !== undefined && tag !== asked) return refuse('FHIR_WRITE_STALE')
  return { value: judged.value, etag: tag === undefined ? undefined : etag }
}

/** The patch is applied to a copy of what is stored, and the result judged like an update's body. */
function makePatch(
  value: unknown,
  stored: Stored | undefined,
  expected: Expectation,
  judge: (written: unknown) => JsonObject | Refusal,
): Made | Refusal {
  const operations = parsePatch(value)
  if (operations === undefined || stored === undefined) {
    return refuse('FHIR_BODY_INVALID', 'malformed')
  }
  const patched = applyPatch(stored.value, operations)
  if (!isJsonObject(patched)) return refuse('FHIR_PATCH_REFUSED')
  if (!keepsIdentity(stored.value, patched, expected.resource)) return refuse('FHIR_PATCH_REFUSED')
  const judged = judge(patched)
  if (isRefusal(judged)) return judged
  return { kind: 'made', body: print(operations), result: print(judged), etag: stored.etag }
}

function print(value: unknown): Buffer {
  return Buffer.from(JSON.stringify(value))
}

function bufferOf(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}
