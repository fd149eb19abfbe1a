import type { Config } from '../../config/schema/config.ts'
import type { Tenant } from '../../config/schema/tenant.ts'
import { createEhrHttp, type EhrHttp } from '../../ehr/http.ts'
import { createDiscovery } from '../../ehr/discovery.ts'
import { keysAddress, quirksOf, redirectPathOf, type ResolvedQuirks } from '../../ehr/quirks.ts'
import type { SmartConfiguration } from '../../ehr/smart-configuration.ts'
import { SmartBffError } from '../../errors.ts'
import { type JsonObject, parseJsonObject } from '../../smart/json.ts'
import { requestedScopes } from '../../smart/requested-scopes.ts'
import { authorizationProbe } from './authorization-probe.ts'
import { type Area, type Finding, inArea } from './finding.ts'
import { judgeCapabilities, judgeClient, judgeDiscovery, judgePkce } from './judge-configuration.ts'
import { judgeOptions } from './judge-options.ts'
import { judgeIssuerKeys, judgeOwnKeys } from './judge-keys.ts'
import { judgeAuthorization, judgeCallback } from './judge-redirect.ts'
import { judgeSupported, judgeUncovered, judgeUnneeded } from './judge-scopes.ts'
import { judgeStatement } from './judge-statement.ts'
import { askOwn } from './own.ts'
import { checkTls } from './tls.ts'

/** One tenant against its live EHR, area by area; what cannot be reached is a finding, never a throw. */
export async function checkTenant(
  config: Config,
  tenant: Tenant,
  progress: (area: Area) => void,
): Promise<readonly Finding[]> {
  const http = createEhrHttp(tenant)
  const check = { config, tenant, http, quirks: quirksOf(tenant) }
  try {
    progress('discovery')
    const found = await discover(check)
    const { configuration } = found
    progress('TLS')
    const urls = [tenant.iss, ...endpointsOf(configuration)]
    const findings = [...(await checkTls(tenant, urls, new Date())), ...found.findings]
    if (configuration !== undefined) {
      findings.push(...judgePkce(found.document), ...judgeClient(tenant, configuration))
      progress('keys')
      findings.push(
        ...(await checkOwnKeys(check)),
        ...(await checkIssuerKeys(check, configuration)),
      )
      progress('redirect')
      findings.push(...(await checkRedirect(check, configuration)))
      findings.push(
        ...judgeCapabilities(tenant, configuration),
        ...judgeOptions(check.quirks, configuration),
      )
    }
    progress('rules')
    findings.push(...(await checkRules(check)))
    for (const mode of tenant.modes) {
      if (configuration !== undefined) {
        const requested = requestedScopes(mode.scopes, check.quirks.scopeVersion)
        findings.push(...judgeSupported(mode, requested, configuration.scopesSupported))
      }
      findings.push(...judgeUncovered(mode), ...judgeUnneeded(mode))
    }
    return findings
  } finally {
    await http.close()
  }
}

/** CapabilityStatements of large EHRs are megabytes. */
const statementBytesMax = 8_388_608

interface Check {
  readonly config: Config
  readonly tenant: Tenant
  readonly http: EhrHttp
  readonly quirks: ResolvedQuirks
}

interface Discovered {
  readonly configuration: SmartConfiguration | undefined
  readonly document: JsonObject | undefined
  readonly findings: readonly Finding[]
}

/** As the server itself will do it; the raw document is read beside it for what the server need not know. */
async function discover({ tenant, http, quirks }: Check): Promise<Discovered> {
  const discovery = createDiscovery({
    tenant,
    quirks,
    http,
    now: Date.now,
    onMoved: () => undefined,
  })
  try {
    const configuration = await discovery.current()
    const document = await rawDocument(tenant, http, quirks)
    return {
      configuration,
      document,
      findings: judgeDiscovery(tenant, configuration, document),
    }
  } catch (error) {
    const finding = inArea('discovery').fail(tenant.iss, sentenceOf(error))
    return { configuration: undefined, document: undefined, findings: [finding] }
  }
}

async function rawDocument(
  tenant: Tenant,
  http: EhrHttp,
  quirks: ResolvedQuirks,
): Promise<JsonObject | undefined> {
  const answer = await http.send({
    url: below(tenant, '.well-known/smart-configuration'),
    method: 'GET',
    headers: { accept: 'application/json', ...discoveryHeaders(quirks) },
  })
  return answer.status === 200 ? parseJsonObject(answer.body) : undefined
}

const discoveryHeaders = (quirks: ResolvedQuirks): Record<string, string> =>
  Object.fromEntries(
    Object.entries(quirks.discoveryHeaders).map(([name, value]) => [name, value.reveal()]),
  )

const below = ({ iss }: Tenant, path: string): URL =>
  new URL(`${iss.endsWith('/') ? iss : `${iss}/`}${path}`)

const endpointsOf = (configuration: SmartConfiguration | undefined): readonly string[] =>
  configuration === undefined
    ? []
    : [
        configuration.authorizationEndpoint,
        configuration.tokenEndpoint,
        configuration.jwksUri,
        configuration.revocationEndpoint,
        configuration.introspectionEndpoint,
      ].filter((url) => url !== undefined)

async function checkOwnKeys({ config, tenant }: Check): Promise<readonly Finding[]> {
  const say = inArea('keys')
  if (tenant.client.auth !== 'private_key_jwt') {
    return [say.skip('our key set', `not needed for ${tenant.client.auth}`)]
  }
  const url = `${config.publicUrl}/.well-known/jwks.json`
  const answer = await askOwn(url)
  return answer === undefined
    ? [say.fail(url, 'nobody answers: start smart-bff, and run this where the EHR would ask from')]
    : judgeOwnKeys(tenant, url, answer)
}

async function checkIssuerKeys(
  { tenant, http, quirks }: Check,
  configuration: SmartConfiguration,
): Promise<readonly Finding[]> {
  const say = inArea('keys')
  if (!tenant.modes.some(({ scopes }) => scopes.includes('openid'))) return []
  const trusted =
    quirks.idTokenIssuers.length > 0
      ? quirks.idTokenIssuers
      : quirks.issuersFrom(configuration.issuer)
  if (configuration.jwksUri === undefined) {
    return [
      say.warn(
        'id_token',
        `no jwks_uri; the keys of ${trusted.join(', ')} are looked up at launch`,
      ),
    ]
  }
  const url = keysAddress(configuration.jwksUri, tenant.client.id, quirks)
  try {
    const headers = { accept: 'application/json' }
    return [judgeIssuerKeys(url, await http.send({ url: new URL(url), method: 'GET', headers }))]
  } catch (error) {
    return [say.fail(url, sentenceOf(error))]
  }
}

async function checkRedirect(
  { config, tenant, http, quirks }: Check,
  configuration: SmartConfiguration,
): Promise<readonly Finding[]> {
  const say = inArea('redirect')
  const redirectUri = config.publicUrl + redirectPathOf(tenant)
  const own = await askOwn(redirectUri)
  const callback =
    own === undefined
      ? say.fail(redirectUri, 'nobody answers: start smart-bff, and run this where a browser would')
      : judgeCallback(redirectUri, own)
  try {
    const url = authorizationProbe(tenant, quirks, redirectUri, configuration.authorizationEndpoint)
    const answer = await http.send({ url, method: 'GET', headers: { accept: 'text/html' } })
    return [callback, judgeAuthorization(redirectUri, tenant.client.id, answer)]
  } catch (error) {
    return [callback, say.fail('at the EHR', sentenceOf(error))]
  }
}

async function checkRules({ tenant, http, quirks }: Check): Promise<readonly Finding[]> {
  const say = inArea('rules')
  try {
    const answer = await http.send({
      url: below(tenant, 'metadata'),
      method: 'GET',
      headers: {
        accept: 'application/fhir+json, application/json',
        ...discoveryHeaders(quirks),
      },
      answerBytesMax: statementBytesMax,
    })
    if (answer.status !== 200) return [say.fail('metadata', `answered ${answer.status}`)]
    const statement = parseJsonObject(answer.body)
    if (statement === undefined) return [say.fail('metadata', 'the answer is not JSON')]
    return judgeStatement(tenant, statement)
  } catch (error) {
    return [say.fail('metadata', sentenceOf(error))]
  }
}

/** What went wrong on the way to the EHR, for a person. */
function sentenceOf(error: unknown): string {
  if (!(error instanceof SmartBffError)) throw error
  const cause = error.cause instanceof Error && 'code' in error.cause ? error.cause.code : undefined
  const detail = error.detail ?? (typeof cause === 'string' ? cause : undefined)
  return detail === undefined ? error.sentence : `${error.sentence} (${detail})`
}
