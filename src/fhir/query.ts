import { refuse } from './decision.ts'
import type { Refusal } from './decision.ts'
import type { Parameter } from './request.ts'

/**
 * Query strings and search forms (application/x-www-form-urlencoded) to decoded parameters. Names are judged decoded,
 * because `pat%69ent=` reaches the server as `patient` (fhir-access-and-audit.md 1.12).
 */

const maxParameters = 100
const maxValueLength = 8192
const namePattern = /^(_?[A-Za-z][A-Za-z0-9_-]{0,63})(?::([A-Za-z][A-Za-z-]{0,63}))?$/
/** C0, DEL and C1: no search needs them, and they end lines in other people's logs. */
// oxlint-disable-next-line no-control-regex
const controls = /[\u0000-\u001f\u007f-\u009f\ufffe\uffff]/
const rawPattern = /^[A-Za-z0-9\-._~!$&'()*+,;=:@/?%|[\]]*$/

export function parseQuery(raw: string): readonly Parameter[] | Refusal {
  if (raw === '') return []
  if (!rawPattern.test(raw)) return refuse('FHIR_PATH_INVALID', 'malformed')
  const pairs = raw.split('&', maxParameters + 1)
  if (pairs.length > maxParameters) return refuse('FHIR_PATH_INVALID', 'malformed')
  const parameters: Parameter[] = []
  for (const pair of pairs) {
    const parameter = parsePair(pair)
    if (parameter === undefined) return refuse('FHIR_PATH_INVALID', 'malformed')
    parameters.push(parameter)
  }
  return parameters
}

function parsePair(pair: string): Parameter | undefined {
  const equals = pair.indexOf('=')
  if (equals === -1) return undefined
  const fullName = decode(pair.slice(0, equals))
  const value = decode(pair.slice(equals + 1))
  if (fullName === undefined || value === undefined || value.length > maxValueLength) {
    return undefined
  }
  // Chains, `_has:…:…` and `-pageContext` do not fit the pattern: what is not understood is refused (DESIGN rule 5).
  const match = namePattern.exec(fullName)
  if (match === null || controls.test(value)) return undefined
  return { name: match[1] ?? '', modifier: match[2] ?? '', value }
}

/** Undefined where the escapes are broken or the bytes are no UTF-8. */
function decode(raw: string): string | undefined {
  const spaced = raw.includes('+') ? raw.replaceAll('+', ' ') : raw
  if (!spaced.includes('%')) return spaced
  try {
    return decodeURIComponent(spaced)
  } catch {
    return undefined
  }
}
