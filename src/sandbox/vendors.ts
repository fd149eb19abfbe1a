import { spelledByEpic, withoutWildcardsAndV1 } from './authorization/vendor-scopes.ts'

/**
 * How the sandbox behaves where real EHRs differ (smart-conformance.md section 5; the documents themselves stand in
 * test/fixtures/vendors). One row a vendor; the sandbox asks the row and never the vendor's name, so that a new vendor
 * is a new row. What no source tells of a vendor is as in `generic`.
 */
export interface VendorBehaviour {
  /** Whether the FHIR base, which is `iss` and `aud`, ends with a slash. */
  readonly issSlash: boolean
  /** `issuer` of the discovery document. A foreign host is one that nobody may ever ask anything. */
  readonly issuer: (origin: string) => string
  /** `iss` of the id_token. */
  readonly idTokenIssuer: (origin: string) => string
  /** Laid over the discovery document; a null member is absent. */
  readonly discovery: Readonly<Record<string, unknown>>
  /** RFC 9207: `iss` beside the code. */
  readonly callbackIss: boolean
  /** SMART's authorize-post. */
  readonly authorizePost: boolean
  /** Whether Basic credentials are form-decoded (RFC 6749, 2.3.1) or taken as they are. */
  readonly basicEncoding: 'raw' | 'form'
  readonly assertionAlgorithms: readonly string[]
  readonly accessTokenSeconds: number
  /** Whether the keys are given out only to those who name a client. */
  readonly jwksNeedsClientId: boolean
  /** How `token_type` is written. */
  readonly tokenType: 'Bearer' | 'bearer'
  /** `rotate`: a new refresh token each time, the old one dies. `keep`: the first one stays. */
  readonly refreshTokens: 'rotate' | 'keep'
  /** Whether a refresh answers with a refresh token at all. */
  readonly refreshTokenOnRefresh: boolean
  /** Whether launch context is repeated when a token is refreshed. */
  readonly contextOnRefresh: boolean
  readonly idTokenOnRefresh: boolean
  /** Whether an id_token that comes with a refresh names its audience. */
  readonly audienceOnRefresh: boolean
  /** How `fhirUser` stands in the id_token. */
  readonly fhirUser: 'absolute' | 'relative'
  /** How `need_patient_banner` stands in the token response. */
  readonly banner: 'boolean' | 'string'
  /** Members of the token response that SMART does not know. */
  readonly extraMembers: Readonly<Record<string, unknown>>
  /** What is granted of what was asked. */
  readonly grant: (asked: string) => string
  /** How the granted scope is written in the token response. */
  readonly spell: (granted: string) => string
  /** Laid over an error of the token endpoint. */
  readonly tokenError: Readonly<Record<string, unknown>>
  /** The answer to a FHIR request that no granted scope covers, where it is not an OperationOutcome. */
  readonly forbidden: { readonly headers: Record<string, string>; readonly body: string } | null
}

export const vendorNames = [
  'generic',
  'epic',
  'oracle',
  'athena',
  'veradigm',
  'meditech',
  'medplum',
  // Not a vendor's: the servers that SMART apps are tried out against.
  'launcher',
  'inferno',
] as const

export type VendorName = (typeof vendorNames)[number]

const asIs = (scopes: string): string => scopes
const ownIssuer = (origin: string): string => `${origin}/oauth`

const generic: VendorBehaviour = {
  issSlash: false,
  issuer: ownIssuer,
  idTokenIssuer: ownIssuer,
  discovery: {},
  callbackIss: true,
  authorizePost: true,
  basicEncoding: 'raw',
  assertionAlgorithms: ['RS384', 'ES384', 'RS256', 'ES256'],
  accessTokenSeconds: 3600,
  jwksNeedsClientId: false,
  tokenType: 'Bearer',
  refreshTokens: 'rotate',
  refreshTokenOnRefresh: true,
  contextOnRefresh: true,
  idTokenOnRefresh: true,
  audienceOnRefresh: true,
  fhirUser: 'absolute',
  banner: 'boolean',
  extraMembers: {},
  grant: asIs,
  spell: asIs,
  tokenError: {},
  forbidden: null,
}

/** No source says that any of them sends RFC 9207's `iss`. */
const vendor = (row: Partial<VendorBehaviour>): VendorBehaviour => ({
  ...generic,
  callbackIss: false,
  ...row,
})

const withoutCallbackIss = { authorization_response_iss_parameter_supported: null }

/** smart-conformance.md 5.1. The PKCE list and the revocation endpoint are absent, as at sites that update late. */
const epic = vendor({
  discovery: {
    ...withoutCallbackIss,
    code_challenge_methods_supported: null,
    token_endpoint_auth_signing_alg_values_supported: null,
    introspection_endpoint: null,
    revocation_endpoint: null,
    management_endpoint: null,
    grant_types_supported: null,
    scopes_supported: ['epic.scanning.dmsusername', 'fhirUser', 'launch', 'openid', 'profile'],
    token_endpoint_auth_methods_supported: [
      'client_secret_post',
      'client_secret_basic',
      'private_key_jwt',
    ],
  },
  basicEncoding: 'form',
  tokenType: 'bearer',
  refreshTokens: 'keep',
  refreshTokenOnRefresh: false,
  contextOnRefresh: false,
  idTokenOnRefresh: false,
  banner: 'string',
  extraMembers: {
    '__epic.dstu2.patient': 'TnOZ.elPXC6zcBNFMcFA7A5KZbYxo2.4T-LylRk4GoW4B',
    location: 'e4W4rmGe9QzuGm2Dy4NBqVc0KDe6yGld6HW95UuN-Qd03',
    loginDepartment: 'e4W4rmGe9QzuGm2Dy4NBqVc0KDe6yGld6HW95UuN-Qd03',
  },
  spell: spelledByEpic,
  forbidden: {
    headers: { 'www-authenticate': 'Bearer error="insufficient_scope"' },
    body: '',
  },
})

const oracleTenant = 'tenants/ec2458f2'

/** smart-conformance.md 5.2. */
const oracle = vendor({
  issuer: (origin) => `${origin}/${oracleTenant}`,
  // Its openid-configuration lies under this URL, which the discovery document names nowhere.
  idTokenIssuer: (origin) => `${origin}/${oracleTenant}/oidc/idsps/ec2458f2/`,
  discovery: {
    ...withoutCallbackIss,
    token_endpoint_auth_methods_supported: ['client_secret_basic', 'private_key_jwt'],
    grant_types_supported: ['authorization_code', 'client_credentials'],
    scopes_supported: [
      'fhirUser',
      'launch',
      'offline_access',
      'online_access',
      'openid',
      'patient/Observation.crus',
      'patient/Observation.read',
      'patient/Patient.crus',
      'patient/Patient.read',
      'profile',
    ],
  },
  assertionAlgorithms: ['RS384', 'ES384'],
  accessTokenSeconds: 570,
  refreshTokens: 'keep',
  refreshTokenOnRefresh: false,
  contextOnRefresh: false,
  extraMembers: { user: '12742069', username: 'portal', tenant: 'ec2458f2', active_ttl: 34_969 },
  grant: withoutWildcardsAndV1,
  tokenError: { error_uri: 'https://authorization.cerner.com/errors/urn%3Acerner%3Aerror' },
  forbidden: {
    headers: { 'content-type': 'application/json' },
    body: '{"urn":"urn:cerner:error:oauth2:resource-access:insufficient-scopes"}',
  },
})

/** smart-conformance.md 5.3. */
const athena = vendor({
  issuer: () => 'https://athena.okta.example/oauth2/default',
  idTokenIssuer: () => 'https://athena.okta.example/oauth2/default',
  discovery: {
    ...withoutCallbackIss,
    scopes_supported: null,
    token_endpoint_auth_signing_alg_values_supported: null,
    grant_types_supported: ['authorization_code', 'client_credentials'],
    token_endpoint_auth_methods: ['client_secret_basic', 'client_secret_post', 'private_key_jwt'],
  },
  // authorize-post is advertised; the guide knows GET alone.
  authorizePost: false,
  jwksNeedsClientId: true,
})

/** smart-conformance.md 5.4. */
const veradigm = vendor({
  issuer: () => 'https://fhirecho.veradigm.example/pro/authorization',
  idTokenIssuer: () => 'https://fhirecho.veradigm.example/pro/authorization',
  discovery: {
    ...withoutCallbackIss,
    token_endpoint_auth_methods_supported: null,
    token_endpoint_auth_methods: ['client_secret_basic', 'client_secret_post'],
    token_endpoint_auth_signing_alg_values_supported: null,
    code_challenge_methods_supported: ['plain', 'S256'],
    capabilities: [
      'launch-ehr',
      'launch-standalone',
      'client-public',
      'client-confidential-symmetric',
      'client-confidential-asymmetric',
      'context-ehr-patient',
      'context-passthrough-banner',
      'context-passthrough-style',
      'context-banner',
      'sso-openid-connect',
      'permission-offline',
      'permission-v1',
      'permission-v2',
    ],
  },
})

/** smart-conformance.md 5.5. */
const meditech = vendor({
  issuer: (origin) => `${origin}/`,
  idTokenIssuer: (origin) => `${origin}/`,
  discovery: {
    ...withoutCallbackIss,
    token_endpoint_auth_methods_supported: [
      'client_secret_post',
      'client_secret_basic',
      'private_key_jwt',
    ],
    token_endpoint_auth_signing_alg_values_supported: ['RS256', 'RS384', 'RS512'],
    grant_types_supported: ['authorization_code', 'client_credentials', 'refresh_token'],
    scopes_supported: ['openid', 'fhirUser', 'launch', 'launch/location', 'patient/*.read'],
  },
  assertionAlgorithms: ['RS256', 'RS384'],
})

/** smart-conformance.md 5.6. */
const medplum = vendor({
  issSlash: true,
  discovery: withoutCallbackIss,
  extraMembers: {
    profile: { reference: 'Practitioner/4a', display: 'Alice Smith' },
    project: { reference: 'Project/9b' },
  },
  // Nearly every refusal is 400 invalid_request, a refused refresh token too.
  tokenError: { error: 'invalid_request' },
})

const fhirBase = (origin: string): string => `${origin}/fhir/r4`

/** The SMART App Launcher, smart-launcher-v2 (smart-conformance.md 5.9 and 6): its id_tokens after a refresh lack `aud`. */
const launcher = vendor({
  issuer: fhirBase,
  idTokenIssuer: fhirBase,
  discovery: withoutCallbackIss,
  refreshTokens: 'keep',
  audienceOnRefresh: false,
  fhirUser: 'relative',
})

/** The simulated server of Inferno's client suite (smart-conformance.md 2.3): its keys are named nowhere in discovery. */
const inferno = vendor({
  issuer: fhirBase,
  idTokenIssuer: fhirBase,
  discovery: {
    ...withoutCallbackIss,
    jwks_uri: null,
    revocation_endpoint: null,
    scopes_supported: ['system/*.read', 'user/*.read', 'patient/*.read'],
    capabilities: [
      'launch-ehr',
      'launch-standalone',
      'authorize-post',
      'client-public',
      'client-confidential-symmetric',
      'client-confidential-asymmetric',
      'context-ehr-patient',
      'permission-offline',
      'permission-online',
      'permission-patient',
      'permission-user',
      'permission-v1',
      'permission-v2',
    ],
  },
  assertionAlgorithms: ['RS384', 'ES384'],
  refreshTokens: 'keep',
})

export const vendors: Readonly<Record<VendorName, VendorBehaviour>> = {
  generic,
  epic,
  oracle,
  athena,
  veradigm,
  meditech,
  medplum,
  launcher,
  inferno,
}
