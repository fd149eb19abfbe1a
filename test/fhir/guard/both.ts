import { isRefusal } from '../../../src/fhir/decision.ts'
import { parseExact } from '../../../src/fhir/exact-json.ts'
import { expectationOf } from '../../../src/fhir/expectation.ts'
import type { Expectation } from '../../../src/fhir/expectation.ts'
import { createProver } from '../../../src/fhir/guard/prove.ts'
import { rewriteBytes } from '../../../src/fhir/guard/rewrite-bytes.ts'
import { judgeAnswer } from '../../../src/fhir/judge-bundle.ts'
import { emptyRequest } from '../../../src/fhir/request.ts'
import type { FhirRequest } from '../../../src/fhir/request.ts'
import { isRecordPath } from '../../../src/fhir/record-path.ts'
import type { Rewriter } from '../../../src/fhir/rewriter.ts'
import { rewrite } from '../../../src/fhir/steps/rewrite.ts'
import { makeView } from '../helper.ts'

/**
 * The fast proof against the full judge: whatever the proof passes, the judge passes too, and both send the same. The
 * other way round a difference costs only time.
 */
export const base = 'https://ehr.example/fhir/r4'
const view = makeView()
export const prove = createProver()
export const search = expected({ interaction: 'search-type', resource: 'Observation' })
export const read = expected({ interaction: 'read', resource: 'Observation', id: 'o1' })

const ours = 'https://app.example/fhir/launch'
const record = (url: string): string | undefined =>
  url.startsWith(`${base}/`) && isRecordPath(url.slice(base.length))
    ? ours + url.slice(base.length)
    : undefined
export const rewriter: Rewriter = {
  self: () => `${ours}/self`,
  page: (link) => (link.startsWith(base) ? `${ours}/_page/x` : undefined),
  record,
  location: record,
  attachment: () => undefined,
  base: ours,
}

function expected(request: Partial<FhirRequest>): Expectation {
  const full = { ...emptyRequest, ...request }
  return expectationOf(
    {
      kind: 'allow',
      request: full,
      sent: full,
      rule: 'x',
      included: new Set(['Encounter']),
      coverage: { kind: 'all' },
    },
    view,
  )
}

/** 'proved', 'judged' or 'refused'; throws where the proof passed what the judge would not. */
export function compare(body: Buffer, expectation: Expectation): string {
  const proved = prove(body, expectation)
  const judged = judgeAnswer(parseExact(body), expectation)
  if (proved === undefined) return isRefusal(judged) ? 'refused' : 'judged'
  if (isRefusal(judged))
    throw new Error(`proved, but ${judged.code} ${judged.reason ?? ''}: ${body.toString()}`)
  const fast = rewriteBytes(proved, rewriter)
  const slow = rewrite(judged, rewriter)
  const same =
    JSON.stringify(sorted(JSON.parse(fast.body.toString()))) ===
    JSON.stringify(sorted(JSON.parse(slow.body.toString())))
  if (!same) throw new Error(`the bytes differ:\n${fast.body.toString()}\n${slow.body.toString()}`)
  if (fast.linksDropped !== slow.linksDropped || fast.count !== slow.count)
    throw new Error('the counts differ')
  return 'proved'
}

function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted)
  if (typeof value !== 'object' || value === null) return value
  return Object.entries(value)
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, inner]) => [name, sorted(inner)])
}

const subject = { reference: 'Patient/p1' }
export const observation = {
  resourceType: 'Observation',
  id: 'o1',
  status: 'final',
  code: { text: 'x "q" \\ {}[]' },
  subject,
}
export const bundleOf = (...resources: unknown[]): object => ({
  resourceType: 'Bundle',
  type: 'searchset',
  total: 1.5,
  link: [
    { relation: 'self', url: `${base}/Observation` },
    { relation: 'next', url: `${base}?p=1` },
    { relation: 'last', url: 'https://x.example/' },
  ],
  entry: resources.map((resource) => ({
    fullUrl: `${base}/Observation/o1`,
    resource,
    search: { mode: 'match' },
  })),
})
