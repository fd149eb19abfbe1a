import type { SearchRequest } from '@medplum/core'
import { OperationOutcomeError, badRequest, evalFhirPath, getSearchParameter } from '@medplum/core'
import type { FhirRepository } from '@medplum/fhir-router'
import { getSearchRevIncludeEntries } from '@medplum/fhir-router'
import type { BundleEntry, Resource } from './types.ts'

/**
 * What `_include` and `_revinclude` add to a page. The repository resolves the references, so a token gets only what
 * it may read. (The library's own `_include` finds no repeating reference without all type definitions in memory.)
 */
export async function included<T extends Resource>(
  repository: FhirRepository,
  request: SearchRequest<T>,
  page: readonly Resource[],
): Promise<BundleEntry[]> {
  const entries: BundleEntry[] = []
  for (const { resourceType, searchParam, targetType } of request.include ?? []) {
    const { expression } = getSearchParameter(resourceType, searchParam) ?? {}
    if (expression === undefined) {
      throw new OperationOutcomeError(badRequest(`Unknown _include ${resourceType}:${searchParam}`))
    }
    const references = page
      .filter((resource) => resource.resourceType === resourceType)
      .flatMap((resource) => evalFhirPath(expression, resource).flatMap(referenceOf))
      .filter(({ reference }) => !targetType || reference.startsWith(`${targetType}/`))
    for (const found of await repository.readReferences(references)) {
      if ('resourceType' in found) entries.push({ resource: found, search: { mode: 'include' } })
    }
  }
  for (const target of request.revInclude ?? []) {
    entries.push(...(await getSearchRevIncludeEntries(repository, target, [...page])))
  }
  const seen = new Set(page.map(keyOf))
  return entries.filter(({ resource }) => {
    const key = resource === undefined ? '' : keyOf(resource)
    return !seen.has(key) && seen.add(key)
  })
}

const keyOf = ({ resourceType, id }: Resource): string => `${resourceType}/${id ?? ''}`

function referenceOf(value: unknown): { reference: string }[] {
  if (typeof value !== 'object' || value === null || !('reference' in value)) return []
  return typeof value.reference === 'string' ? [{ reference: value.reference }] : []
}
