import { copyIssues } from '../../smart/outcome.ts'
import { refuse } from '../decision.ts'
import type { Refusal } from '../decision.ts'
import { parseExact } from '../exact-json.ts'
import type { Expectation } from '../expectation.ts'
import { judgeAnswer } from '../judge-bundle.ts'
import type { JudgedValue } from '../judge-bundle.ts'
import { refuseBy } from '../ehr-status.ts'
import { awayBytes } from '../away/away.ts'
import type { Prove, Proved } from '../guard/prove.ts'
import type { UpstreamAnswer, UpstreamFault } from '../upstream.ts'

/**
 * guard: nothing of the EHR's answer goes on before its status, its form and every resource in it were judged
 * (DESIGN rule 6). An error of the EHR is told in our words.
 */
export function guard(
  answer: UpstreamAnswer | UpstreamFault,
  expected: Expectation,
  prove: Prove,
): JudgedValue | Proved | Large | Refusal {
  if (answer.kind === 'fault') return refuseFault(answer)
  if (answer.status !== 200) return refuseStatus(answer)
  if (!isFhirJson(answer.headers.contentType)) {
    return refuse('FHIR_ANSWER_UNREADABLE', 'content_type')
  }
  const { body } = answer
  const proved = prove(body, expected)
  if (proved !== undefined) return proved
  if (body.length > awayBytes) return { kind: 'large', body }
  return judgeAnswer(parseExact(body), expected)
}

/** Not proved, and too large to be parsed on the event loop. */
export interface Large {
  readonly kind: 'large'
  readonly body: Buffer
}

export function refuseFault({ fault, retryAfter = 1 }: UpstreamFault): Refusal {
  switch (fault) {
    case 'timeout':
      return refuse('EHR_TIMEOUT')
    case 'too_large':
      return refuse('FHIR_ANSWER_TOO_LARGE')
    case 'encoding':
      return refuse('FHIR_ANSWER_UNREADABLE', 'content_type')
    case 'outside':
      return refuse('FHIR_PATH_INVALID', 'link_outside')
    case 'throttled':
      return { ...refuse('FHIR_EHR_BUSY'), retryAfter: String(retryAfter) }
    case 'busy':
    case 'circuit':
    case 'memory':
      return { ...refuse('FHIR_EHR_UNAVAILABLE'), retryAfter: String(retryAfter) }
    case 'unreachable':
    case 'gone':
      return refuse('EHR_UNREACHABLE')
  }
}

/** DESIGN, "What a user is told": 400, 404, 410 and 422 keep their status. */
export function refuseStatus(answer: UpstreamAnswer): Refusal {
  return refuseBy(answer.status, () => issuesOf(answer), answer.headers.retryAfter)
}

function issuesOf({ headers, body }: UpstreamAnswer): ReturnType<typeof copyIssues> {
  const maxOutcomeBytes = 65_536
  if (!isFhirJson(headers.contentType) || body.length > maxOutcomeBytes) return []
  return copyIssues(parseExact(body))
}

/** RFC 9110 5.6.1: media types compare without case; the charset can only be UTF-8 (RFC 8259 8.1). */
export function isFhirJson(contentType: string): boolean {
  return /^application\/(?:fhir\+)?json(?:\s*;\s*[a-z-]+\s*=\s*"?[a-z0-9./-]+"?)*\s*$/i.test(
    contentType,
  )
}
