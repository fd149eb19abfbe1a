import { matchesSearchRequest, parseSearchRequest } from '@medplum/core'
import type { Action, ResourceScope } from './scopes.ts'
import { readScopes } from './scopes.ts'
import type { Resource } from './types.ts'

/** Types that are about no patient: whoever may read the type may read them all. */
export const patientFree: ReadonlySet<string> = new Set([
  'Organization',
  'Location',
  'Practitioner',
  'PractitionerRole',
  'Medication',
  'HealthcareService',
  'Questionnaire',
  'ValueSet',
])

/** What one access token may do, decided for each resource by itself. */
export interface Access {
  /** The patient in context, to whom `patient/` scopes are bound. */
  readonly patient?: string
  /** Whether any scope speaks of this action on this type at all. */
  covers(action: Action, type: string): boolean
  /** Whether records of every patient may be looked at: a `user/` or `system/` scope covers the type. */
  everyPatient(action: Action, type: string): boolean
  /** Whether this one resource, which is about `owner`, may be touched. */
  may(action: Action, resource: Resource, owner: string | undefined): boolean
}

export function createAccess(scope: string, patient: string | undefined): Access {
  const scopes = readScopes(scope)
  const speaking = (action: Action, type: string): ResourceScope[] =>
    scopes.filter(
      ({ level, type: of, actions }) =>
        (of === '*' || of === type) &&
        actions.has(action) &&
        (level !== 'patient' || patient !== undefined),
    )
  return {
    ...(patient === undefined ? {} : { patient }),
    covers: (action, type) => speaking(action, type).length > 0,
    everyPatient: (action, type) =>
      speaking(action, type).some(({ level }) => level !== 'patient') || patientFree.has(type),
    may: (action, resource, owner) =>
      speaking(action, resource.resourceType).some(
        (one) =>
          (one.level !== 'patient' ||
            owner === patient ||
            (owner === undefined && patientFree.has(resource.resourceType))) &&
          matches(resource, one.query),
      ),
  }
}

/** A granular scope speaks only of what its query would find (SMART 2.2, finer-grained constraints). */
function matches(resource: Resource, query: string | undefined): boolean {
  if (query === undefined) return true
  return matchesSearchRequest(resource, parseSearchRequest(`${resource.resourceType}?${query}`))
}
