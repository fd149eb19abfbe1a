import { workforceReference } from './person.ts'
import type { Pseudonyms } from './pseudonyms.ts'

/** Under what a user may stand in the log whom a person names for a search. */
export interface UserNamesDeps {
  readonly tenants: readonly {
    readonly id: string
    /** Unknown of a tenant that the configuration no longer has. */
    readonly iss?: string
    readonly quirks?: { readonly endpoints?: { readonly issuer?: string | undefined } | undefined }
  }[]
  readonly pseudonyms: Pick<Pseudonyms, 'everyUser'>
}

/**
 * A workforce user stands there by name, relative or absolute, under whichever tenant's base. Anybody else stands there
 * as a pseudonym, of what the EHR names him or, without that, of the subject of his id_token and its issuer.
 */
export function userNames(
  typed: string,
  { tenants, pseudonyms }: UserNamesDeps,
): readonly string[] {
  if (workforceReference.test(typed)) {
    const bases = tenants.flatMap(({ iss }) => iss?.replace(/\/$/, '') ?? [])
    return typed.startsWith('http') ? [typed] : [typed, ...bases.map((base) => `${base}/${typed}`)]
  }
  const nobody = { issuer: undefined, subject: undefined, fhirUser: undefined }
  return tenants.flatMap(({ id, iss, quirks }) => [
    ...pseudonyms.everyUser(id, { ...nobody, fhirUser: typed }),
    ...new Set([iss, quirks?.endpoints?.issuer].filter((issuer) => issuer !== undefined))
      .values()
      .flatMap((issuer) => pseudonyms.everyUser(id, { ...nobody, issuer, subject: typed })),
  ])
}
