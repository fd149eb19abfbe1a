import { searchParameters } from './known-names.ts'
import { resourceTypes } from '../smart/tables/resource-types.ts'

/**
 * The safe list: search parameters whose values may stand in the audit, each with the values that may. A value that
 * does not fit is dropped and the name stays. Codes, texts, references and dates of a patient are never on it; of a
 * date only the comparison stands (`date=ge`).
 */
export function safeValue(name: string, value: string): string | undefined {
  if (value.length > 200) return undefined
  return judges.get(name)?.(value)
}

type Judge = (value: string) => string | undefined

const judges: ReadonlyMap<string, Judge> = new Map<string, Judge>([
  ['_count', (value) => (/^\d{1,4}$/.test(value) ? value : undefined)],
  ['_summary', (value) => (/^(true|text|data|count|false)$/.test(value) ? value : undefined)],
  ['_total', (value) => (/^(none|estimate|accurate)$/.test(value) ? value : undefined)],
  ['_sort', listOf((item) => searchParameters.has(item.replace(/^-/, '')))],
  ['_type', listOf((item) => resourceTypes.has(item))],
  ['_include', include],
  ['_revinclude', include],
  ['category', listOf((item) => categories.has(item), lastPart)],
  ['status', listOf((item) => statuses.has(item))],
  ['clinical-status', listOf((item) => statuses.has(item), lastPart)],
  ['intent', listOf((item) => statuses.has(item))],
  ['date', comparison],
  ['_lastUpdated', comparison],
  ['_since', comparison],
  ['onset-date', comparison],
  ['recorded-date', comparison],
  ['authoredon', comparison],
  ['period', comparison],
])

const categories = new Set(
  `vital-signs laboratory imaging social-history procedure survey exam therapy activity sdoh
  functional-status disability-status cognitive-status problem-list-item encounter-diagnosis
  health-concern assess-plan clinical-note food medication environment biologic inpatient
  outpatient community discharge`.split(/\s+/),
)

const statuses = new Set(
  `active inactive completed final amended corrected preliminary registered cancelled
  entered-in-error unknown on-hold stopped draft resolved remission recurrence relapse planned
  arrived in-progress finished booked proposed pending noshow current superseded plan order
  proposal original-order instance-order`.split(/\s+/),
)

function listOf(allowed: (item: string) => boolean, shown = (item: string) => item): Judge {
  return (value) => {
    const items = value.split(',').map(shown)
    return items.every(allowed) ? items.join(',') : undefined
  }
}

/** `http://…/observation-category|vital-signs` stands as `vital-signs`: the system could be anything. */
function lastPart(item: string): string {
  return item.slice(item.lastIndexOf('|') + 1)
}

function include(value: string): string | undefined {
  const [source = '', parameter = '', target, ...rest] = value.split(':')
  const known =
    rest.length === 0 &&
    resourceTypes.has(source) &&
    (parameter === '*' || searchParameters.has(parameter)) &&
    (target === undefined || resourceTypes.has(target))
  return known ? value : undefined
}

function comparison(value: string): string | undefined {
  return /^(eq|ne|gt|lt|ge|le|sa|eb|ap)(?=\d)/.exec(value)?.[0]
}
