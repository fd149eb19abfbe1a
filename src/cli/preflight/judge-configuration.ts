import type { Mode, Tenant } from '../../config/schema/tenant.ts'
import type { SmartConfiguration } from '../../ehr/smart-configuration.ts'
import type { JsonObject } from '../../smart/json.ts'
import { type Finding, inArea, quoted } from './finding.ts'

/** What the EHR says of itself, against the tenant. Pure. */

/** `document` is what `.well-known/smart-configuration` held; undefined where the CapabilityStatement stood in. */
export function judgeDiscovery(
  tenant: Tenant,
  configuration: SmartConfiguration,
  document: JsonObject | undefined,
): readonly Finding[] {
  const say = inArea('discovery')
  const { authorizationEndpoint, tokenEndpoint, issuer } = configuration
  const found =
    document === undefined
      ? say.warn(
          'smart-configuration',
          'not there; the endpoints are those of the CapabilityStatement, which says nothing of PKCE, keys or scopes',
        )
      : say.ok('smart-configuration', 'found and usable')
  return [
    found,
    say.ok('authorization endpoint', authorizationEndpoint),
    say.ok('token endpoint', tokenEndpoint),
    document !== undefined && document['issuer'] === undefined
      ? say.warn(
          'issuer',
          `not named; ${tenant.iss} stands in. Name the id_token's issuer in quirks.idTokenIssuers where it is another`,
        )
      : say.ok('issuer', issuer),
    configuration.revocationEndpoint === undefined
      ? say.warn('revocation', 'no endpoint: tokens of ended launches live until they expire')
      : say.ok('revocation', configuration.revocationEndpoint),
  ]
}

/** SMART @13; a list without S256 was refused before this. */
export function judgePkce(document: JsonObject | undefined): readonly Finding[] {
  const say = inArea('PKCE')
  const methods: unknown = document?.['code_challenge_methods_supported']
  if (!Array.isArray(methods) || methods.length === 0) {
    return [say.warn('S256', 'not listed; it is sent all the same, and older servers ignore it')]
  }
  if (methods.includes('plain')) {
    return [say.warn('S256', 'listed, beside "plain", which SMART forbids; it is never used here')]
  }
  return [say.ok('S256', 'listed')]
}

export function judgeClient(
  { client, vendor }: Tenant,
  { authMethods, signingAlgorithms, capabilities }: SmartConfiguration,
): readonly Finding[] {
  const say = inArea('client')
  if (client.auth === 'none') {
    const open = authMethods.includes('none') || capabilities.includes('client-public')
    return [
      open
        ? say.ok('none', 'public clients are taken')
        : say.warn(
            'none',
            'no word of public clients; a server can keep a secret, so register one',
          ),
    ]
  }
  const method = judgeMethod(client.auth, authMethods)
  if (client.auth !== 'private_key_jwt') return [method]
  const alg = client.keys[0]?.alg ?? ''
  if (signingAlgorithms.length === 0) {
    return [method, say.warn(alg, 'the EHR does not say which algorithms it takes')]
  }
  const fits = signingAlgorithms.includes(alg)
  const note = vendor === 'meditech' ? ' (MEDITECH takes RSA alone)' : ''
  return [
    method,
    fits
      ? say.ok(alg, 'taken')
      : say.fail(
          alg,
          `not taken: the EHR lists ${quoted(signingAlgorithms)}${note}. Put such a key first`,
        ),
  ]
}

function judgeMethod(auth: string, authMethods: readonly string[]): Finding {
  const say = inArea('client')
  if (authMethods.length === 0)
    return say.warn(auth, 'the EHR does not say how clients authenticate')
  return authMethods.includes(auth)
    ? say.ok(auth, 'taken')
    : say.fail(auth, `not taken: the EHR lists ${quoted(authMethods)}`)
}

/** Capability lists are often behind what a server does, so a missing word is a warning. */
export function judgeCapabilities(
  tenant: Tenant,
  { capabilities }: SmartConfiguration,
): readonly Finding[] {
  const say = inArea('launch')
  if (capabilities.length === 0) return [say.warn('capabilities', 'the EHR lists none')]
  return tenant.modes.flatMap((mode) => {
    const missing = neededBy(mode).filter((one) => !capabilities.includes(one))
    return missing.length === 0
      ? [say.ok(mode.id, 'every capability that the mode needs is listed')]
      : [say.warn(mode.id, `the EHR does not list ${quoted(missing)}`)]
  })
}

function neededBy(mode: Mode): readonly string[] {
  const has = (scope: string): boolean => mode.scopes.includes(scope)
  const where = mode.launch === 'ehr' ? 'ehr' : 'standalone'
  return [
    `launch-${where}`,
    ...(mode.patient === 'required' ? [`context-${where}-patient`] : []),
    ...(has('openid') ? ['sso-openid-connect'] : []),
    ...(has('offline_access') ? ['permission-offline'] : []),
    ...(has('online_access') ? ['permission-online'] : []),
    ...(mode.scopes.some((scope) => scope.startsWith('patient/')) ? ['permission-patient'] : []),
    ...(mode.scopes.some((scope) => scope.startsWith('user/')) ? ['permission-user'] : []),
  ]
}
