import type { SearchRequest } from '@medplum/core'
import { evalFhirPath, getSearchParameter } from '@medplum/core'
import { patientId } from './subject.ts'
import type { Resource } from './types.ts'

/** Parameters that name the patient a search is about; choosing the chart answers them. */
const patientParameters = new Set(['patient', 'subject', 'beneficiary'])

/** String parameters of names, which the repository cannot search without all type definitions in memory. */
const nameParameters = new Set(['name', 'family', 'given'])

/** The patients a search names; undefined when it names none. */
export function patientsNamed<T extends Resource>(
  request: SearchRequest<T>,
): readonly string[] | undefined {
  const lists = (request.filters ?? []).filter((filter) => answeredByChart(request, filter))
  if (lists.length === 0) return undefined
  const [first = [], ...others] = lists.map(({ value }) =>
    value.split(',').map((one) => patientId(one) ?? one),
  )
  return first.filter((id) => others.every((list) => list.includes(id)))
}

/** The same search without the filters answered here, and whole: pages are cut afterwards. */
export function withoutHandled<T extends Resource>(request: SearchRequest<T>): SearchRequest {
  const { filters = [] } = request
  return {
    resourceType: request.resourceType,
    filters: filters.filter(
      (filter) => !answeredByChart(request, filter) && !nameParameters.has(filter.code),
    ),
  }
}

/**
 * Sorts by the first value of each rule's parameter, taken once per resource: the repository's own sort evaluates it
 * at every comparison, which costs seconds in a long chart.
 */
export function sorted(
  resources: readonly Resource[],
  rules: SearchRequest['sortRules'] = [],
): Resource[] {
  const keyed = resources.map((resource) => ({
    resource,
    keys: rules.map(({ code }) => sortKey(resource, code)),
  }))
  const compared = keyed.toSorted((a, b) => {
    for (const [index, { descending }] of rules.entries()) {
      const order = compare(a.keys[index], b.keys[index])
      if (order !== 0) return descending ? -order : order
    }
    return 0
  })
  return compared.map(({ resource }) => resource)
}

/** The elements behind the parameters that charts are sorted by; FHIRPath finds the others, slowly. */
const sortElements: Readonly<Record<string, readonly string[]>> = {
  date: ['effectiveDateTime', 'effectivePeriod', 'occurrenceDateTime', 'date', 'period'],
  authoredon: ['authoredOn'],
  'recorded-date': ['recordedDate'],
  'onset-date': ['onsetDateTime'],
  birthdate: ['birthDate'],
}

function sortKey(resource: Resource, code: string): string | number {
  if (code === '_lastUpdated') return resource.meta?.lastUpdated ?? ''
  const elements = sortElements[code]
  if (elements !== undefined) {
    const members = resource as unknown as Readonly<Record<string, unknown>>
    return comparable(elements.map((name) => members[name]).find((value) => value !== undefined))
  }
  const { expression } = getSearchParameter(resource.resourceType, code) ?? {}
  return expression === undefined ? '' : comparable(evalFhirPath(expression, resource)[0])
}

function comparable(value: unknown): string | number {
  if (typeof value === 'number' || typeof value === 'string') return value
  return typeof value === 'object' && value !== null ? ordered(value) : ''
}

/** A Period sorts by its start, a name by its family name, a concept by its text. */
function ordered(value: object): string {
  const { start, family, text } = value as { start?: string; family?: string; text?: string }
  return start ?? family ?? text ?? JSON.stringify(value)
}

function compare(a: string | number = '', b: string | number = ''): number {
  return typeof a === 'number' && typeof b === 'number' ? a - b : String(a).localeCompare(String(b))
}

type Filter = NonNullable<SearchRequest['filters']>[number]

function answeredByChart(request: { resourceType: string }, filter: Filter): boolean {
  if (filter.operator !== 'eq') return false
  if (request.resourceType === 'Patient') return filter.code === '_id'
  return patientParameters.has(filter.code)
}

export function matchNames<T extends Resource>(
  resource: Resource,
  request: SearchRequest<T>,
): boolean {
  const filters = (request.filters ?? []).filter(({ code }) => nameParameters.has(code))
  return filters.every((filter) =>
    filter.value.split(',').some((value) => hasName(resource, filter, value.trim())),
  )
}

function hasName(resource: Resource, { code, operator }: Filter, value: string): boolean {
  const parts = namesOf(resource, code).map(folded)
  const wanted = folded(value)
  return parts.some((part) =>
    operator === 'contains'
      ? part.includes(wanted)
      : operator === 'exact'
        ? part === wanted
        : part.split(' ').some((word) => word.startsWith(wanted)) || part.startsWith(wanted),
  )
}

function namesOf(resource: Resource, code: string): string[] {
  if (!('name' in resource)) return []
  const name: unknown = resource.name
  if (typeof name === 'string') return [name]
  if (!Array.isArray(name)) return []
  return (name as { family?: string; given?: string[] }[]).flatMap(({ family, given }) => [
    ...(code !== 'given' && family ? [family] : []),
    ...(code !== 'family' ? (given ?? []) : []),
  ])
}

/** FHIR R4 3.1.1.4.8: string search ignores case and accents. */
const folded = (text: string): string =>
  text
    .normalize('NFD')
    .replace(/\p{Diacritic}/gu, '')
    .toLowerCase()
