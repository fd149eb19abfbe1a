import type { JWK } from 'jose'
import { Provider, errors, interactionPolicy } from 'oidc-provider'
import type { Context } from 'oidc-provider'
import type { Control } from '../control/control.ts'
import type { SandboxClient } from '../options.ts'
import type { VendorBehaviour } from '../vendors.ts'
import type { TokenStorage } from './adapter.ts'
import type { Launches } from './launches.ts'
import { smartTokenResponse } from './token-response.ts'

export interface AuthorizationDeps {
  /** Told every token given out, so that a test can search for it where it must not be. */
  readonly onIssued: (token: string) => void
  readonly issuer: string
  /** The FHIR base; `aud` must equal it byte for byte. */
  readonly iss: string
  /** The same without a slash at its end. */
  readonly base: string
  readonly origin: string
  readonly clients: readonly SandboxClient[]
  readonly launches: Launches
  readonly storage: TokenStorage
  readonly control: Control
  readonly vendor: VendorBehaviour
  readonly signingKey: JWK
  /** The user of a launch that names none. */
  readonly defaultUser: string
}

/** Scopes that speak of identity and launch, not of FHIR resources. */
const identityScopes = ['openid', 'profile', 'fhirUser', 'offline_access', 'online_access']

/** SMART's authorization server: oidc-provider with launch context and without pages to click through. */
export function createAuthorizationServer(deps: AuthorizationDeps): Provider {
  const { issuer, control, signingKey } = deps
  const provider = new Provider(issuer, {
    adapter: deps.storage.adapter,
    clients: deps.clients.map(registered),
    jwks: { keys: [signingKey] },
    scopes: identityScopes,
    claims: { openid: ['sub'], fhirUser: ['fhirUser'], profile: ['profile'] },
    conformIdTokenClaims: false,
    findAccount: (_context: Context, id: string) => account(deps, id),
    extraParams: extraParameters(deps),
    pkce: { required: () => true },
    interactions: { policy: policy(deps) },
    rotateRefreshToken: () => control.settings().refreshTokens === 'rotate',
    issueRefreshToken: (
      _context: Context,
      client: { grantTypeAllowed(type: string): boolean },
      source: { scopes: ReadonlySet<string> },
    ) =>
      client.grantTypeAllowed('refresh_token') &&
      (source.scopes.has('offline_access') || source.scopes.has('online_access')),
    expiresWithSession: () => false,
    ttl: {
      AccessToken: () => control.settings().accessTokenSeconds,
      AuthorizationCode: 60,
      IdToken: 300,
      RefreshToken: () => control.settings().refreshTokenSeconds,
      Grant: 86_400 * 30,
      Session: 86_400,
      Interaction: 600,
    },
    // SMART's authorize-post; the library wants its cookies, which never leave the sandbox, to allow it.
    enableHttpPostMethods: true,
    cookies: { long: { sameSite: 'none' } },
    routes: {
      authorization: '/authorize',
      token: '/token',
      jwks: '/jwks',
      introspection: '/introspect',
      revocation: '/revoke',
    },
    clientAuthMethods: ['none', 'client_secret_basic', 'client_secret_post', 'private_key_jwt'],
    enabledJWA: { clientAuthSigningAlgValues: [...deps.vendor.assertionAlgorithms] },
    assertJwtClientAuthClaimsAndHeader: judgeAssertion(deps),
    features: {
      devInteractions: { enabled: false },
      userinfo: { enabled: false },
      rpInitiatedLogout: { enabled: false },
      introspection: { enabled: true },
      revocation: { enabled: true },
      resourceIndicators: resourceIndicators(deps),
    },
    // A client's jwks_uri is on this machine; the library's own dispatcher would refuse such addresses.
    fetch: (url: string, options: RequestInit & { dispatcher?: unknown }) => {
      const { dispatcher: _, ...rest } = options
      return fetch(url, rest)
    },
    renderError: (context: Context, out: Readonly<Record<string, string>>) => {
      context.type = 'text/plain; charset=utf-8'
      context.body = `Synthetic data. The sandbox EHR refused the request: ${out['error'] ?? 'error'}\n${out['error_description'] ?? ''}\n`
    },
  })
  provider.use(async (context, next) => {
    await next()
    if (context.path === '/token') await smartTokenResponse(deps, context)
    if (context.path === '/introspect') introspected(deps, context)
  })
  return provider
}

function registered(client: SandboxClient): object {
  const { clientId, auth, secret, jwks, jwksUri, redirectUris } = client
  return {
    client_id: clientId,
    token_endpoint_auth_method: auth,
    redirect_uris: [...redirectUris],
    grant_types: ['authorization_code', 'refresh_token'],
    response_types: ['code'],
    ...(secret === undefined ? {} : { client_secret: secret }),
    ...(jwks === undefined ? {} : { jwks }),
    ...(jwksUri === undefined ? {} : { jwks_uri: jwksUri }),
  }
}

function account({ base, vendor }: AuthorizationDeps, id: string): object {
  return {
    accountId: id,
    claims: async () => {
      const fhirUser = vendor.fhirUser === 'absolute' ? `${base}/${id}` : id
      return { sub: id, fhirUser, profile: fhirUser }
    },
  }
}

/** SMART 2.2, "Request authorization": `aud` is required and exact; `launch` must be one this EHR gave out. */
function extraParameters({ iss, launches, control }: AuthorizationDeps): object {
  return {
    aud(_context: Context, value: string | undefined) {
      if (value !== iss) throw new errors.InvalidRequest('aud must be the FHIR base URL')
    },
    launch(context: Context, value: string | undefined) {
      const asked = words(context.oidc.params['scope'])
      if (asked.includes('launch') && value === undefined) {
        throw new errors.InvalidRequest('the scope launch needs a launch parameter')
      }
      if (value !== undefined && !launches.waiting(value)) {
        throw new errors.InvalidRequest('launch is unknown or was used before')
      }
      if (control.settings().authorizeError !== null) {
        throw new errors.AccessDenied(control.settings().authorizeError ?? '')
      }
    },
  }
}

const jtiLengthMax = 151

/** SMART 2.2, client-confidential-asymmetric (@321-@332); Epic's limit of `jti`. The library checks the rest. */
function judgeAssertion({ issuer }: AuthorizationDeps) {
  return async (
    _context: Context,
    claims: Readonly<Record<string, unknown>>,
    header: Readonly<Record<string, unknown>>,
  ): Promise<void> => {
    const { aud, jti } = claims
    if (aud !== `${issuer}/token`) {
      throw new errors.InvalidClientAuth('aud must be the token URL, one string')
    }
    if (header['typ'] !== 'JWT') throw new errors.InvalidClientAuth('typ must be JWT')
    if (typeof header['kid'] !== 'string') throw new errors.InvalidClientAuth('kid is missing')
    if (typeof jti !== 'string' || jti.length > jtiLengthMax) {
      throw new errors.InvalidClientAuth('jti must be a string of at most 151 characters')
    }
  }
}

/** No login and no consent page: whoever has the launch value is the clinician who opened the chart. */
function policy(deps: AuthorizationDeps): object {
  const base = interactionPolicy.base()
  base.get('consent').checks.clear()
  const login = base.get('login')
  login.checks.clear()
  login.checks.add(
    new interactionPolicy.Check('launch', 'the EHR signs the user in', async (context) => {
      await signIn(deps, context)
      return false
    }),
  )
  return base
}

async function signIn(deps: AuthorizationDeps, { oidc }: Context): Promise<void> {
  const { launches, control, iss, defaultUser, vendor } = deps
  const launch = oidc.params['launch']
  const context =
    launch === undefined ? (control.settings().standalone ?? {}) : launches.redeem(launch)
  if (context === undefined) {
    throw new errors.InvalidRequest('launch is unknown or was used before')
  }
  const scope = control.settings().grantedScopes ?? vendor.grant(oidc.params['scope'] ?? '')
  // What is granted may also be more than what was asked (real EHRs add scopes of the registered app).
  oidc.params['scope'] = scope
  const accountId = context.user ?? defaultUser
  const { clientId } = oidc.client
  oidc.session.loginAccount({ accountId, transient: true })
  const grant = new oidc.provider.Grant({ accountId, clientId })
  const identity = words(scope).filter((word) => identityScopes.includes(word))
  if (identity.length > 0) grant.addOIDCScope(identity.join(' '))
  if (scope !== '') grant.addResourceScope(iss, scope)
  const grantId = await grant.save()
  launches.bind(grantId, context)
  oidc.entity('Account', account(deps, accountId))
  oidc.entity('Grant', grant)
  oidc.session.ensureClientContainer(clientId)
  oidc.session.grantIdFor(clientId, grantId)
}

/** The FHIR base is the one resource server; what a grant holds for it is the token's scope. */
function resourceIndicators({ iss, control }: AuthorizationDeps): object {
  return {
    enabled: true,
    defaultResource: () => iss,
    useGrantedResource: () => true,
    getResourceServerInfo: ({ oidc }: Context) => ({
      audience: iss,
      scope: oidc.entities.Grant?.getResourceScope(iss) ?? asking(control, oidc.params['scope']),
      accessTokenFormat: 'opaque',
    }),
  }
}

/** Before a grant exists everything asked for is possible, and whatever the sandbox was told to grant instead. */
const asking = (control: Control, scope: string | undefined): string =>
  [scope ?? '', control.settings().grantedScopes ?? ''].join(' ').trim()

/** SMART 2.2, token introspection: the launch context of the token stands beside the standard members. */
function introspected({ launches, base }: AuthorizationDeps, context: Context): void {
  const { body, oidc } = context
  if (typeof body !== 'object' || body === null || !('active' in body) || !body.active) return
  const { patient, encounter } = launches.ofGrant(oidc.entities.Grant?.jti) ?? {}
  const sub = 'sub' in body && typeof body.sub === 'string' ? body.sub : ''
  context.body = {
    ...body,
    fhirUser: `${base}/${sub}`,
    ...(patient === undefined ? {} : { patient }),
    ...(encounter === undefined ? {} : { encounter }),
  }
}

const words = (scope: string | undefined): string[] => (scope ?? '').split(' ').filter(Boolean)
