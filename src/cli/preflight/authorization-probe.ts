import { createHash, randomBytes } from 'node:crypto'
import type { Tenant } from '../../config/schema/tenant.ts'
import type { ResolvedQuirks } from '../../ehr/quirks.ts'
import { requestedScopes } from '../../smart/requested-scopes.ts'

/**
 * An authorization request as a launch would send it, with a launch value that no EHR gave out. It can end in an error
 * or a sign-in page, never in a grant, because nobody follows it.
 */
export function authorizationProbe(
  tenant: Tenant,
  { scopeVersion }: Pick<ResolvedQuirks, 'scopeVersion'>,
  redirectUri: string,
  authorizationEndpoint: string,
): URL {
  const [mode] = tenant.modes
  const url = new URL(authorizationEndpoint)
  const parameters = {
    response_type: 'code',
    client_id: tenant.client.id,
    redirect_uri: redirectUri,
    scope: requestedScopes(mode?.scopes ?? [], scopeVersion).join(' '),
    state: random(),
    aud: tenant.iss,
    code_challenge: createHash('sha256').update(random()).digest('base64url'),
    code_challenge_method: 'S256',
    ...(mode?.launch === 'ehr' ? { launch: `preflight-${random()}` } : {}),
  }
  for (const [name, value] of Object.entries(parameters)) url.searchParams.set(name, value)
  return url
}

const random = (): string => randomBytes(32).toString('base64url')
