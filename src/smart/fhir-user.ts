import type { UserKind } from '../vault/record.ts'

/**
 * `fhirUser` of an id_token: absolute or relative, of a closed list of types (SMART App Launch 2.2, scopes for identity
 * data; smart-conformance.md 1.12).
 */
export interface FhirUser {
  /** `Practitioner/7` where it stands under the FHIR base; otherwise the absolute URL, which no token ever visits. */
  readonly reference: string
  readonly kind: UserKind
}

const kinds: Readonly<Record<string, UserKind>> = {
  Practitioner: 'practitioner',
  PractitionerRole: 'practitioner',
  Patient: 'patient',
  RelatedPerson: 'related_person',
  Person: 'other',
}

const relative = /^([A-Z][A-Za-z]{1,63})\/((?!\.+$)[A-Za-z0-9\-.]{1,64})$/

/** Undefined when it names no user we understand. */
export function readFhirUser(claim: string, fhirBase: string): FhirUser | undefined {
  const base = fhirBase.endsWith('/') ? fhirBase : `${fhirBase}/`
  const local = claim.startsWith(base) ? claim.slice(base.length) : claim
  const parts = relative.exec(local) ?? relative.exec(lastTwoSegments(local))
  const kind = parts?.[1] === undefined ? undefined : kinds[parts[1]]
  return kind === undefined ? undefined : { reference: local, kind }
}

function lastTwoSegments(claim: string): string {
  const url = URL.parse(claim)
  if (url === null || (url.protocol !== 'https:' && url.protocol !== 'http:')) return ''
  if (url.search !== '' || url.hash !== '' || url.username !== '') return ''
  return url.pathname.split('/').slice(-2).join('/')
}
