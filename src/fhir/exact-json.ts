import { isUtf8 } from 'node:buffer'

/**
 * JSON read so that it can be written again without loss: a decimal's precision matters in FHIR (R4 datatypes,
 * decimal), and `1.50` must not become `1.5`. What is sent on is always what was judged, so a member that stood twice
 * in the EHR's body stands once in ours.
 */

/**
 * Numbers that JavaScript would print in another way than they came: with a zero at the end, an exponent or more than
 * fifteen digits, on both sides of the point together, and those so small that it would print an exponent.
 */
const fragile =
  /\d\.\d*0(?![\d.])|\d[eE]|\d{15}|-0|\.\d{15}|(?<![\d.])0\.0{6}|(?<![\d.])(?=[\d.]{17})\d+\.\d+(?![\d.])/

interface ReviverContext {
  readonly source?: string
}

interface ExactJson {
  parse(
    text: string,
    reviver: (name: string, value: unknown, context: ReviverContext) => unknown,
  ): unknown
  rawJSON(text: string): unknown
}

/** ECMAScript 2026, JSON.parse source text access; not yet in the type library. */
// oxlint-disable-next-line typescript/no-unsafe-type-assertion
const exact = JSON as unknown as ExactJson

/** Undefined when the bytes are not JSON in UTF-8. */
export function parseExact(body: Buffer): unknown {
  if (!isUtf8(body)) return undefined
  const text = body.toString('utf8')
  try {
    if (!fragile.test(text)) return JSON.parse(text)
    return exact.parse(text, (_, value, { source }) =>
      typeof value === 'number' && source !== undefined && String(value) !== source
        ? exact.rawJSON(source)
        : value,
    )
  } catch {
    return undefined
  }
}
