import type { Tenant } from '../config/schema/tenant.ts'
import { SmartBffError } from '../errors.ts'
import type { JsonObject } from '../smart/json.ts'
import type { ResolvedQuirks } from './quirks.ts'

/** What we keep of an EHR's discovery document (SMART App Launch 2.2, conformance). */
export interface SmartConfiguration {
  /** Conditional in SMART: the FHIR base stands in where the EHR names none. */
  readonly issuer: string
  readonly authorizationEndpoint: string
  readonly tokenEndpoint: string
  readonly jwksUri: string | undefined
  readonly revocationEndpoint: string | undefined
  readonly introspectionEndpoint: string | undefined
  /** RFC 9207 3: the EHR says that its answers carry `iss`; one without is then refused. */
  readonly callbackIss: boolean
  readonly capabilities: readonly string[]
  readonly scopesSupported: readonly string[]
  readonly authMethods: readonly string[]
  readonly signingAlgorithms: readonly string[]
}

/**
 * Judges a discovery document. Throws EHR_DISCOVERY_INVALID with a private detail that names the member.
 * The tenant's `quirks.endpoints` win over what the document says.
 */
export function readSmartConfiguration(
  document: JsonObject | undefined,
  tenant: Tenant,
  quirks: ResolvedQuirks,
): SmartConfiguration {
  if (document === undefined) throw invalid('not a JSON object')
  const members = new Map(Object.entries(document))
  refusePlainPkce(strings(members.get('code_challenge_methods_supported')))
  const overrides = quirks.endpoints
  const endpoint = (name: string, override: string | undefined): string | undefined =>
    override ?? endpointUrl(name, members.get(name), tenant)
  return {
    issuer: overrides.issuer ?? issuerOf(members.get('issuer'), tenant),
    authorizationEndpoint: required(
      'authorization_endpoint',
      endpoint('authorization_endpoint', overrides.authorization),
    ),
    tokenEndpoint: required('token_endpoint', endpoint('token_endpoint', overrides.token)),
    jwksUri: endpoint('jwks_uri', overrides.jwks),
    revocationEndpoint: endpoint('revocation_endpoint', overrides.revocation),
    introspectionEndpoint: endpoint('introspection_endpoint', overrides.introspection),
    callbackIss: members.get('authorization_response_iss_parameter_supported') === true,
    capabilities: strings(members.get('capabilities')),
    scopesSupported: strings(members.get('scopes_supported')),
    // Veradigm and athenahealth spell the member without `_supported`.
    authMethods: strings(
      members.get('token_endpoint_auth_methods_supported') ??
        members.get('token_endpoint_auth_methods'),
    ),
    signingAlgorithms: strings(members.get('token_endpoint_auth_signing_alg_values_supported')),
  }
}

/** RFC 7636: an absent list is tolerated (older servers); a list without S256 is not (SMART @13). */
function refusePlainPkce(methods: readonly string[]): void {
  if (methods.length > 0 && !methods.includes('S256')) {
    throw invalid('code_challenge_methods_supported has no S256')
  }
}

const urlLengthMax = 2000

function endpointUrl(name: string, value: unknown, tenant: Tenant): string | undefined {
  if (value === undefined || value === null || value === '') return undefined
  if (typeof value !== 'string' || value.length > urlLengthMax) throw invalid(name)
  // SMART @379: relative endpoints resolve against the FHIR base, which keeps its last segment.
  const base = tenant.iss.endsWith('/') ? tenant.iss : `${tenant.iss}/`
  const url = URL.parse(value, base)
  if (url === null) throw invalid(name)
  // SMART @1: codes and tokens go only over TLS. http passes only where the tenant itself is http (development).
  const plainAllowed = url.protocol === 'http:' && tenant.iss.startsWith('http:')
  if (url.protocol !== 'https:' && !plainAllowed) throw invalid(`${name} is not https`)
  if (url.username !== '' || url.password !== '' || url.hash !== '') throw invalid(name)
  return url.href
}

function issuerOf(value: unknown, tenant: Tenant): string {
  const usable = typeof value === 'string' && value !== '' && value.length <= urlLengthMax
  return usable ? value : tenant.iss
}

function required(name: string, value: string | undefined): string {
  if (value === undefined) throw invalid(`${name} is missing`)
  return value
}

const listEntriesMax = 5000

function strings(value: unknown): readonly string[] {
  if (!Array.isArray(value)) return []
  return value.slice(0, listEntriesMax).filter((entry) => typeof entry === 'string')
}

function invalid(detail: string): SmartBffError {
  return new SmartBffError('EHR_DISCOVERY_INVALID', { detail })
}
