import type { VendorBehaviour } from '../vendors.ts'

/** The document as this vendor writes it, with what a test put over it; a null member is absent. */
export function discoveryDocument(
  vendor: VendorBehaviour,
  origin: string,
  overrides: Readonly<Record<string, unknown>> | null,
): object {
  const document = {
    ...smartConfiguration(`${origin}/oauth`, origin),
    issuer: vendor.issuer(origin),
    ...vendor.discovery,
    ...overrides,
  }
  return Object.fromEntries(Object.entries(document).filter(([, value]) => value !== null))
}

/** An issuer that the discovery document does not name publishes its keys itself (OIDC Discovery 1.0, 4). */
export function openidConfiguration(
  vendor: VendorBehaviour,
  origin: string,
  path: string,
): object | undefined {
  const issuer = vendor.idTokenIssuer(origin)
  if (`${issuer.replace(/\/$/, '')}/.well-known/openid-configuration` !== origin + path) {
    return undefined
  }
  return { issuer, jwks_uri: `${origin}/oauth/jwks` }
}

/** `.well-known/smart-configuration` (SMART App Launch 2.2, conformance), with every field it knows. */
function smartConfiguration(oauth: string, origin: string): object {
  return {
    jwks_uri: `${oauth}/jwks`,
    authorization_endpoint: `${oauth}/authorize`,
    token_endpoint: `${oauth}/token`,
    introspection_endpoint: `${oauth}/introspect`,
    revocation_endpoint: `${oauth}/revoke`,
    management_endpoint: `${origin}/`,
    token_endpoint_auth_methods_supported: [
      'client_secret_basic',
      'client_secret_post',
      'private_key_jwt',
    ],
    token_endpoint_auth_signing_alg_values_supported: ['RS384', 'ES384'],
    grant_types_supported: ['authorization_code', 'refresh_token'],
    response_types_supported: ['code'],
    code_challenge_methods_supported: ['S256'],
    authorization_response_iss_parameter_supported: true,
    scopes_supported: [
      'openid',
      'profile',
      'fhirUser',
      'launch',
      'launch/patient',
      'launch/encounter',
      'offline_access',
      'online_access',
      'patient/*.rs',
      'patient/*.cruds',
      'user/*.rs',
      'user/*.cruds',
    ],
    capabilities: [
      'launch-ehr',
      'launch-standalone',
      'authorize-post',
      'client-public',
      'client-confidential-symmetric',
      'client-confidential-asymmetric',
      'sso-openid-connect',
      'context-banner',
      'context-style',
      'context-ehr-patient',
      'context-ehr-encounter',
      'permission-offline',
      'permission-online',
      'permission-patient',
      'permission-user',
      'permission-v1',
      'permission-v2',
    ],
  }
}
