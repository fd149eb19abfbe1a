import type { Pseudonyms } from '../audit/pseudonyms.ts'
import type { LaunchKey, Store } from '../store/store.ts'
import type { LaunchRecord, LaunchUser } from './record.ts'

/**
 * `index:…`: living launches by tenant and by user, so that they can be revoked at once. A user stands under the
 * audit's keyed pseudonyms: a dump of the store names nobody, and what support staff read in the audit leads here.
 */
export interface LaunchIndex {
  /** Again and again: it is the same entry. */
  add(key: LaunchKey, record: LaunchRecord): Promise<void>
  ofTenant(tenant: string): Promise<readonly LaunchKey[]>
  /** By what is known of him: `fhirUser`, or issuer and subject; under every pseudonym key. */
  ofUser(tenant: string, user: IndexedUser): Promise<readonly LaunchKey[]>
  /** As an audit record shows a user who is not named: `p1.…`. */
  ofPseudonym(pseudonym: string): Promise<readonly LaunchKey[]>
}

export type IndexedUser = Pick<LaunchUser, 'issuer' | 'subject' | 'fhirUser'>

export function createLaunchIndex(deps: {
  readonly store: Pick<Store, 'addToIndex' | 'listIndex'>
  readonly pseudonyms: Pick<Pseudonyms, 'user' | 'everyUser'>
}): LaunchIndex {
  const { store, pseudonyms } = deps
  return {
    add: async (key, { tenant, user, absoluteAt }) => {
      const names = identitiesOf(user).map((one) => userName(pseudonyms.user(tenant, one)))
      await Promise.all(
        [tenantName(tenant), ...new Set(names)].map((name) =>
          store.addToIndex(name, key, absoluteAt),
        ),
      )
    },
    ofTenant: (tenant) => store.listIndex(tenantName(tenant)),
    ofUser: async (tenant, user) => {
      const names = pseudonyms.everyUser(tenant, user).map(userName)
      return (await Promise.all(names.map((name) => store.listIndex(name)))).flat()
    },
    ofPseudonym: (pseudonym) => store.listIndex(userName(pseudonym)),
  }
}

const tenantName = (tenant: string): string => `tenant:${tenant}`

const userName = (pseudonym: string): string => `user:${pseudonym}`

/** He may be asked for by either. */
function identitiesOf({ issuer, subject, fhirUser }: LaunchUser): readonly IndexedUser[] {
  const nobody = { issuer: undefined, subject: undefined, fhirUser: undefined }
  return [
    ...(fhirUser === undefined ? [] : [{ ...nobody, fhirUser }]),
    ...(subject === undefined ? [] : [{ ...nobody, issuer, subject }]),
  ]
}
