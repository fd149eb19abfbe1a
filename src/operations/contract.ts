import type { Config } from '../config/schema/config.ts'
import type { Rule } from '../config/schema/rule.ts'
import type { Client, Mode, Tenant } from '../config/schema/tenant.ts'
import { quirksOf, redirectPathOf } from '../ehr/quirks.ts'
import { scopeAction } from '../smart/interactions.ts'
import { requestedScopes } from '../smart/requested-scopes.ts'
import { covers, parseScope, type ResourceScope } from '../smart/scopes.ts'
import { fallbackTable } from './contract/fallback.ts'
import { code, table, text } from './contract/markdown.ts'

/**
 * `smart-bff contract --tenant x`: what hospital, EHR and app agree on, as Markdown to paste into the vendor's form.
 * Everything in it is told by the configuration; it holds no secret.
 */
export function launchContract(config: Config, tenant: Tenant): string {
  return [
    `# Launch contract: ${text(tenant.name)}`,
    'Made from the configuration by `smart-bff contract`. It holds no secret.',
    registration(config, tenant),
    connectionsPart(config, tenant),
    ...tenant.modes.map((mode) => modePart(config, tenant, mode)),
    tokensPart(config, tenant),
    '## When something is wrong',
    'The app shows one of these, with the service desk’s words and an incident number. Nobody needs the app to work on: the EHR stays usable.',
    fallbackTable(),
    ...(tenant.support === undefined ? [] : [`Shown with each: “${text(tenant.support.text)}”`]),
    '',
  ].join('\n\n')
}

function registration({ publicUrl }: Config, tenant: Tenant): string {
  const { client, iss } = tenant
  const keys = client.auth === 'private_key_jwt'
  return [
    '## Registration',
    table(
      ['what', 'value'],
      [
        ['FHIR base (`iss` and `aud`)', code(iss)],
        ['client id', code(client.id)],
        ['client type', client.auth === 'none' ? 'public' : 'confidential'],
        ['client authentication', authOf(client)],
        ...(keys ? [['JWKS URL', code(`${publicUrl}${jwksPath}`)]] : []),
        ['redirect URI, exactly', code(publicUrl + redirectPathOf(tenant))],
        ...launchUrls(publicUrl, tenant),
        ['grant types', grantsOf(tenant)],
        ['authorization request', methods[quirksOf(tenant).authorizeMethod]],
        ['PKCE', '`S256`, always'],
        ['FHIR version', tenant.fhirVersion],
        ['framed by', tenant.frameAncestors.map(code).join(', ') || 'nobody'],
      ],
    ),
  ].join('\n\n')
}

function authOf(client: Client): string {
  if (client.auth !== 'private_key_jwt') return code(client.auth)
  const keys = client.keys.map(({ kid, alg }) => `${code(kid)} (${alg})`).join(', ')
  return `${code(client.auth)}, keys ${keys}; the first signs`
}

/** The plain /launch serves the first mode with `launch: ehr`; every mode has its own besides. */
function launchUrls(publicUrl: string, { id, modes }: Tenant): readonly (readonly string[])[] {
  const first = modes.find(({ launch }) => launch === 'ehr')
  return [
    ...modes.map((mode) => [`launch URL of ${code(mode.id)}`, code(urlOf(publicUrl, id, mode))]),
    ...(first === undefined
      ? []
      : [
          ['or, the same for every EHR', `${code(`${publicUrl}/launch`)} (${code(first.id)} here)`],
        ]),
  ]
}

const urlOf = (publicUrl: string, tenant: string, mode: Mode): string =>
  `${publicUrl}/launch/${tenant}/${mode.id}`

const methods = {
  get: 'by GET',
  post: 'by POST, as a form',
  'post-ehr-launch': 'by POST as a form for an EHR launch, by GET for a standalone one',
} as const

const asksToStay = (scope: string): boolean =>
  scope === 'online_access' || scope === 'offline_access'

const grantsOf = ({ modes }: Tenant): string =>
  modes.some(({ scopes }) => scopes.some(asksToStay))
    ? '`authorization_code`, `refresh_token`'
    : '`authorization_code`'

/** For the firewall, and for whoever runs the EHR's side. */
function connectionsPart({ publicUrl }: Config, { client, iss }: Tenant): string {
  return [
    '## Connections',
    table(
      ['from', 'to', 'for'],
      [
        ['smart-bff', code(new URL(iss).origin), 'discovery and FHIR'],
        ['smart-bff', 'the hosts that discovery names', 'tokens and the EHR’s keys'],
        ...(client.auth === 'private_key_jwt'
          ? [['the EHR', code(`${publicUrl}${jwksPath}`), 'our public keys']]
          : []),
        ['the user’s browser', code(publicUrl), 'the app, in the EHR’s frame'],
      ],
    ),
  ].join('\n\n')
}

const jwksPath = '/.well-known/jwks.json'

const patientText = {
  required: 'a patient; without one the app does not open',
  optional: 'a patient where one is open',
  none: 'no patient',
} as const

const userText = {
  practitioner: 'a `fhirUser` that is a Practitioner or PractitionerRole',
  patient: 'a `fhirUser` that is a Patient, or a RelatedPerson acting for one',
  any: 'any user, named or not',
} as const

/** What `launch/…` scopes ask for besides the patient; the app opens without it. */
const otherContext = ({ scopes }: Mode): readonly string[] =>
  scopes
    .filter((scope) => scope.startsWith('launch/') && scope !== 'launch/patient')
    .map((scope) => `${code(scope.slice('launch/'.length))} where there is one`)

function modePart({ publicUrl }: Config, tenant: Tenant, mode: Mode): string {
  const where =
    mode.launch === 'ehr' ? 'the EHR opens the app' : 'the app is opened by its own address'
  return [
    `## Mode ${code(mode.id)}: ${where}`,
    `Launch URL: ${code(urlOf(publicUrl, tenant.id, mode))}`,
    `Expected context: ${[patientText[mode.patient], userText[mode.user], ...otherContext(mode)].join('; ')}.`,
    '### Scopes, and the features that need them',
    table(
      ['scope', 'needed for'],
      requestedScopes(mode.scopes, quirksOf(tenant).scopeVersion).map((scope) => [
        code(scope),
        reasonOf(scope, mode),
      ]),
    ),
    '### What the app may do',
    mode.allow.length === 0
      ? 'Nothing: the allowlist is empty.'
      : table(
          ['feature', 'request', 'search parameters'],
          mode.allow.map((rule) => [text(rule.feature), requestOf(rule), parametersOf(rule)]),
        ),
  ].join('\n\n')
}

const otherReasons: Readonly<Record<string, string>> = {
  launch: 'the context of the EHR launch',
  'launch/patient': 'asks the EHR for a patient',
  'launch/encounter': 'asks the EHR for an encounter',
  openid: 'to know who is signed in',
  fhirUser: 'to know who is signed in',
  profile: 'to know who is signed in, at older EHRs',
  online_access: 'to go on after the access token has ended, while the user is signed in',
  offline_access: 'to go on after the access token has ended',
}

function reasonOf(asked: string, mode: Mode): string {
  const scope = parseScope(asked)
  if (scope === undefined) return otherReasons[asked] ?? 'asked for by the configuration'
  const features = mode.allow.filter((rule) => needs(rule, scope)).map(({ feature }) => feature)
  return features.length === 0 ? '**no rule needs it**' : [...new Set(features)].join(', ')
}

function needs(rule: Rule, scope: ResourceScope): boolean {
  if ('operation' in rule) return true
  if ('bundle' in rule) return false
  return rule.interactions.some((interaction) => {
    const action = scopeAction[interaction]
    if (action === undefined) return false
    const patient = scope.level === 'patient'
    return covers([scope], { resource: rule.resource, action, patient }).kind !== 'none'
  })
}

function requestOf(rule: Rule): string {
  if ('operation' in rule) return code(rule.operation)
  if ('bundle' in rule) return rule.bundle.map(code).join(', ')
  return `${code(rule.resource)} ${rule.interactions.join(', ')}`
}

function parametersOf(rule: Rule): string {
  if ('operation' in rule) return rule.parameters.map(code).join(', ')
  return 'search' in rule ? rule.search.map(code).join(', ') : ''
}

function tokensPart({ session }: Config, tenant: Tenant): string {
  const { minRefreshSeconds } = quirksOf(tenant)
  const refreshes = tenant.modes.some(({ scopes }) => scopes.some(asksToStay))
  const lines = [
    'Tokens stay on the server; the browser holds a session cookie and nothing else.',
    refreshes
      ? `An access token is renewed shortly before it ends, once at a time${minRefreshSeconds > 0 ? `, at most every ${minRefreshSeconds} seconds` : ''}. A refused refresh asks for a new launch.`
      : 'No refresh token is asked for: when the access token ends, the app asks to be opened again.',
    `Without activity a launch ends after ${session.idleMinutes} minutes, in any case after ${session.absoluteMinutes} minutes.`,
    'At the end the tokens are revoked, where the EHR has a revocation endpoint (RFC 7009).',
  ]
  return ['## Tokens and time', ...lines.map((line) => `- ${line}`)]
    .join('\n\n')
    .replaceAll('\n\n- ', '\n- ')
}
