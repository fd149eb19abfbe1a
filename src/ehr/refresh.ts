import { decodeJwt } from 'jose'
import { readLaunchContext, receivedMembers } from '../smart/launch-context.ts'
import type { LaunchRecord } from '../vault/record.ts'
import type { RefreshOutcome } from '../vault/vault.ts'
import type { Ehrs } from './connection.ts'
import type { Issued } from './issued.ts'
import { giveBack } from './revoke.ts'
import type { OAuthError } from './token-answer.ts'

/** One refresh at the EHR of the record's tenant, as the vault understands it (DESIGN rule 11). Never throws. */
export function createRefresh(
  ehrs: Ehrs,
): (record: LaunchRecord, maySend: () => boolean) => Promise<RefreshOutcome> {
  return async (record, maySend) => {
    const ehr = ehrs.get(record.tenant)
    const { refresh } = record.tokens
    if (ehr === undefined) return { kind: 'refused', reason: 'tenant_unknown' }
    if (refresh === undefined) return { kind: 'refused', reason: 'no_refresh_token' }
    const answer = await ehr.oauth.refresh(refresh, maySend).catch(() => undefined)
    if (answer === undefined) return { kind: 'uncertain', reason: 'discovery' }
    if (answer.kind === 'uncertain' || answer.kind === 'unsent') return answer
    if (answer.kind === 'refused') return refused(answer.error, ehr.quirks.finalRefreshErrors)
    const { issued } = answer
    const otherwise = changedOf(record, issued)
    if (otherwise !== undefined) {
      await giveBack(ehr, issued)
      return { kind: 'refused', reason: otherwise }
    }
    return {
      kind: 'refreshed',
      access: issued.accessToken,
      expiresInSeconds: issued.expiresInSeconds,
      refresh: issued.refreshToken,
      granted: issued.scope,
      context: receivedMembers(readLaunchContext(issued.members, ehr.tenant.iss)),
    }
  }
}

/**
 * A launch stays with its patient and its user to the end: an answer about another one is refused, and the user opens
 * the app again. An id_token that comes with a refresh must be the same user's (OIDC Core 12.2); it came from the token
 * endpoint itself, so that its claims are read without its signature (3.1.3.7, 6).
 */
function changedOf(record: LaunchRecord, { members, idToken }: Issued): Changed | undefined {
  const { patient } = members
  const known = record.context.patient
  if (patient !== undefined && known !== undefined && patient !== known) return 'patient_changed'
  const { subject } = record.user
  if (idToken === undefined || subject === undefined) return undefined
  const said = subjectOf(idToken)
  return said === undefined || said === subject ? undefined : 'user_changed'
}

type Changed = 'patient_changed' | 'user_changed'

function subjectOf(idToken: string): string | undefined {
  try {
    return decodeJwt(idToken).sub
  } catch {
    return undefined
  }
}

/**
 * Only what the protocol calls final ends the authorization; an unknown 4xx may be a gateway's mood. Nor does
 * `invalid_client`, which is about us and not about the refresh token: a key that the EHR could not fetch, a clock that
 * is wrong (RFC 7521 4.2). Opening the app again would meet the same.
 */
const fatal = new Set([
  'invalid_grant',
  'unauthorized_client',
  'unsupported_grant_type',
  'invalid_scope',
  'access_denied',
])

const refused = (error: OAuthError, alsoFinal: readonly string[]): RefreshOutcome => ({
  kind: fatal.has(error) || alsoFinal.includes(error) ? 'refused' : 'uncertain',
  reason: error === 'other' ? 'unreadable' : error,
})
