import type { AuditUser } from './event.ts'
import type { Pseudonyms } from './pseudonyms.ts'

/**
 * How a user stands in the audit (DESIGN rule 9). A workforce user stands as the EHR names him, for the log must say
 * who looked; a patient, a related person and anybody whose kind is not known stand as a pseudonym. So does a
 * practitioner whose name is not of the form of an identifier: a form with spaces could be anybody's name.
 */
export function pseudonymOrName(
  tenant: string,
  user: AuditUser,
  pseudonyms: Pseudonyms,
): string | undefined {
  if (user.fhirUser === undefined && user.subject === undefined) return undefined
  if (user.kind === 'practitioner') {
    if (user.fhirUser !== undefined && workforceReference.test(user.fhirUser)) return user.fhirUser
    if (user.fhirUser === undefined && loginName.test(user.subject ?? '')) return user.subject
  }
  if (user.kind === 'staff' && loginName.test(user.subject ?? '')) return user.subject
  return pseudonyms.user(tenant, user)
}

/** `Practitioner/7`, also under another FHIR base. */
export const workforceReference =
  /^(?:https?:\/\/[A-Za-z0-9.-]{1,200}(?::\d{1,5})?\/(?:[A-Za-z0-9._~-]{1,64}\/){0,10})?(?:Practitioner|PractitionerRole)\/[A-Za-z0-9.-]{1,64}$/

/** What identity providers give as `sub`: no spaces, so no free text. */
export const loginName = /^[A-Za-z0-9][A-Za-z0-9._@+|-]{0,127}$/
