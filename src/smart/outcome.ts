import { isJsonObject } from './json.ts'

/** OperationOutcomes of our own making: nothing of the EHR's text is in them (DESIGN.md, "What a user is told"). */

export interface OutcomeIssue {
  readonly severity: Severity
  /** A code of FHIR's issue-type value set. */
  readonly code: string
  readonly text?: string
  readonly expression?: readonly string[]
}

type Severity = 'fatal' | 'error' | 'warning' | 'information'

/** FHIR R4, value set issue-type. */
const issueCodes = new Set(
  (
    'invalid structure required value invariant security login unknown expired forbidden suppressed processing ' +
    'not-supported duplicate multiple-matches not-found deleted too-long code-invalid extension too-costly ' +
    'business-rule conflict transient lock-error no-store exception timeout incomplete throttled informational'
  ).split(' '),
)
const expressionPattern = /^[A-Za-z][A-Za-z0-9_.[\]()'-]{0,199}$/
const maxIssues = 50

export function operationOutcome(issues: readonly OutcomeIssue[]): object {
  return {
    resourceType: 'OperationOutcome',
    issue: issues.map(({ severity, code, text, expression }) => ({
      severity,
      code,
      ...(text === undefined ? {} : { details: { text } }),
      ...(expression === undefined ? {} : { expression }),
    })),
  }
}

/** Severity, code and expression of an EHR's outcome, nothing else. Answers [] for whatever is not one. */
export function copyIssues(body: unknown): readonly OutcomeIssue[] {
  const issues = isJsonObject(body) ? body['issue'] : undefined
  if (!Array.isArray(issues)) return []
  return issues.slice(0, maxIssues).flatMap((issue: unknown) => {
    if (!isJsonObject(issue)) return []
    const { severity, code, expression } = issue
    if (!isSeverity(severity)) return []
    if (typeof code !== 'string' || !issueCodes.has(code)) return []
    const paths = Array.isArray(expression) ? expression.filter(isExpression) : []
    const copied = { severity, code }
    return [paths.length === 0 ? copied : { ...copied, expression: paths.slice(0, 10) }]
  })
}

/**
 * True when an EHR's outcome says that nothing is wrong. Held against every issue of it, also those that are not copied:
 * an error of a code that nobody knows is still an error.
 */
export function isAllWell(body: unknown): boolean {
  const issues = isJsonObject(body) ? body['issue'] : undefined
  if (!Array.isArray(issues) || issues.length === 0) return false
  return issues.every((issue: unknown) => {
    const severity = isJsonObject(issue) ? issue['severity'] : undefined
    return severity === 'information' || severity === 'warning'
  })
}

/** True when an outcome names an error, of whatever code. */
export function saysFault(body: unknown): boolean {
  const issues = isJsonObject(body) ? body['issue'] : undefined
  return Array.isArray(issues) && issues.length > 0 && !isAllWell(body)
}

/** Element paths only: a FHIRPath with a literal in quotes could carry a value. */
function isExpression(value: unknown): value is string {
  return typeof value === 'string' && expressionPattern.test(value) && !value.includes("'")
}

function isSeverity(value: unknown): value is Severity {
  return value === 'fatal' || value === 'error' || value === 'warning' || value === 'information'
}
