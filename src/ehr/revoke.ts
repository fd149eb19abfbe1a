import type { LaunchRecord } from '../vault/record.ts'
import type { Audit } from '../audit/event.ts'
import type { Ehr, Ehrs } from './connection.ts'
import type { Issued } from './issued.ts'

export interface RevokeDeps {
  readonly ehrs: Ehrs
  readonly audit: Audit
}

/**
 * Gives the EHR its tokens back after a launch has ended (RFC 7009). Best effort: the launch is over whether or not the
 * EHR hears of it, and what became of it is recorded. Never throws.
 */
export function createRevoke({ ehrs, audit }: RevokeDeps): (record: LaunchRecord) => Promise<void> {
  return async (record) => {
    const ehr = ehrs.get(record.tenant)
    if (ehr === undefined || record.tokens.access === '') return
    const { access, refresh } = record.tokens
    const hint = refresh === undefined ? 'access_token' : 'refresh_token'
    const outcome = await ehr.oauth.revoke(refresh ?? access, hint).then(
      (supported) => (supported ? 'success' : 'unsupported'),
      () => 'failed',
    )
    await audit
      .record({
        event: 'token.revoked',
        outcome: outcome === 'success' ? 'success' : 'failed',
        tenant: record.tenant,
        mode: record.mode,
        launch: record.launch,
        user: record.user,
        actor: 'system',
        ...(outcome === 'unsupported' ? { reason: 'revocation_unsupported' } : {}),
      })
      .catch(() => undefined)
  }
}

/** Tokens that no launch will ever use go back at once. Best effort, never throws. */
export async function giveBack(ehr: Ehr, issued: Issued): Promise<void> {
  const hint = issued.refreshToken === undefined ? 'access_token' : 'refresh_token'
  await ehr.oauth.revoke(issued.refreshToken ?? issued.accessToken, hint).catch(() => false)
}
