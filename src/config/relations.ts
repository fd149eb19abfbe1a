import type { Draft } from './draft.ts'
import type { Finding } from './fault.ts'
import { appSourcesNarrow, frameAncestorsGiven } from './relations/framing.ts'
import { certificatesFit } from './relations/certificates.ts'
import { clientKeysFit, clientKeysUnique } from './relations/client-keys.ts'
import { keyIdsUnique, keysForOnePurpose, signingKeyFits } from './relations/server-keys.ts'
import {
  drainEndsBeforeTheLimit,
  listenersApart,
  proxiesAreAddresses,
  sessionClocksOrdered,
  staffCanSignIn,
  staffHasItsOwnHost,
  traceparentHasAProxy,
} from './relations/listeners.ts'
import { addressesAreSecure, noLocalStaff, storeIsShared } from './relations/production.ts'
import { confirmCanRead, ruleKeysFit } from './relations/rules.ts'
import {
  modeIdsUnique,
  modePatientFits,
  modeUserFits,
  scopesFitTheLaunch,
} from './relations/modes.ts'
import { scopesAreWellFormed, scopesFitTheirVersion } from './relations/scopes.ts'
import { issUnique, redirectPathsApart, tenantIdsUnique } from './relations/tenants.ts'

/** What must hold between several settings. One function a relation; each sees the sound parts of the whole. */
type Relation = (draft: Draft) => readonly Finding[]

const relations: readonly Relation[] = [
  // Development shortcuts (DESIGN rule 16)
  addressesAreSecure,
  storeIsShared,
  noLocalStaff,
  // Listeners, proxies, staff
  listenersApart,
  drainEndsBeforeTheLimit,
  proxiesAreAddresses,
  traceparentHasAProxy,
  staffCanSignIn,
  staffHasItsOwnHost,
  sessionClocksOrdered,
  // Keys (DESIGN rules 10 and 16)
  keyIdsUnique,
  keysForOnePurpose,
  signingKeyFits,
  certificatesFit,
  // Tenants (DESIGN rule 3)
  tenantIdsUnique,
  issUnique,
  redirectPathsApart,
  clientKeysFit,
  clientKeysUnique,
  frameAncestorsGiven,
  appSourcesNarrow,
  // Modes and rules (DESIGN rules 5 and 6)
  modeIdsUnique,
  modeUserFits,
  modePatientFits,
  scopesFitTheLaunch,
  scopesAreWellFormed,
  scopesFitTheirVersion,
  ruleKeysFit,
  confirmCanRead,
]

export const judgeRelations = (draft: Draft): Finding[] =>
  relations.flatMap((relation) => relation(draft))
