import type { Rule, ResourceRule } from '../../config/schema/rule.ts'
import type { Mode, Tenant } from '../../config/schema/tenant.ts'
import { isJsonObject, type JsonObject } from '../../smart/json.ts'
import { type Finding, inArea, quoted } from './finding.ts'

/** Every allow rule against the EHR's CapabilityStatement (FHIR R4 capabilitystatement.html). Pure. */

const say = inArea('rules')

export function judgeStatement(tenant: Tenant, statement: JsonObject): readonly Finding[] {
  if (statement['resourceType'] !== 'CapabilityStatement') {
    return [say.fail('metadata', 'the answer is no CapabilityStatement')]
  }
  const rest = objects(statement['rest']).find(({ mode }) => mode === 'server')
  if (rest === undefined)
    return [say.fail('metadata', 'the CapabilityStatement describes no server')]
  return [
    judgeVersion(tenant, statement),
    ...tenant.modes.flatMap((mode) =>
      mode.allow.map((rule) => judgeRule(subjectOf(mode, rule), rule, rest)),
    ),
  ]
}

/** Several rules may serve one feature. */
function subjectOf({ id }: Mode, rule: Rule): string {
  if ('bundle' in rule) return `${id}: ${rule.feature}, ${rule.bundle.join(' ')}`
  return `${id}: ${rule.feature}, ${'operation' in rule ? rule.operation : rule.resource}`
}

const versions = { R4: /^4\.0(\.|$)/, R4B: /^4\.3(\.|$)/ } as const

function judgeVersion({ fhirVersion }: Tenant, statement: JsonObject): Finding {
  const said = typeof statement['fhirVersion'] === 'string' ? statement['fhirVersion'] : 'nothing'
  return versions[fhirVersion].test(said)
    ? say.ok('FHIR version', said)
    : say.fail('FHIR version', `the EHR says ${quoted([said])}, the tenant ${fhirVersion}`)
}

function judgeRule(subject: string, rule: Rule, rest: JsonObject): Finding {
  if ('bundle' in rule) {
    const missing = rule.bundle.filter((code) => !codes(rest).includes(code))
    return verdict(
      subject,
      missing.map((code) => `${code} is not listed`),
      [],
    )
  }
  if ('operation' in rule) {
    const known = hasOperation(rule.operation, rest)
    return verdict(subject, [], known ? [] : [`${rule.operation} is not listed`])
  }
  const resource = resourceOf(rest, rule.resource)
  if (resource === undefined) {
    return say.fail(subject, `the EHR does not have ${rule.resource}`)
  }
  const faults = [
    ...rule.interactions
      .filter((code) => !codes(resource).includes(code))
      .map((code) => `${rule.resource} ${code} is not offered`),
    ...missingParameters(rule, resource, rest).map((name) => `search by ${name} is not offered`),
    ...versionFaults(rule, resource),
  ]
  return verdict(subject, faults, doubtsOf(rule, resource))
}

function verdict(subject: string, faults: readonly string[], doubts: readonly string[]): Finding {
  if (faults.length > 0) return say.fail(subject, quoted([...faults, ...doubts]))
  if (doubts.length > 0) return say.warn(subject, quoted(doubts))
  return say.ok(subject, 'offered')
}

/** Result parameters shape an answer and are rarely listed (FHIR R4 search.html, 3.1.1.3). */
const resultParameters = new Set(['_count', '_sort', '_summary', '_elements', '_total', '_format'])

function missingParameters(
  rule: ResourceRule,
  resource: JsonObject,
  rest: JsonObject,
): readonly string[] {
  const listed = [...objects(resource['searchParam']), ...objects(rest['searchParam'])].map(
    ({ name }) => name,
  )
  return rule.search.filter((parameter) => {
    const name = parameter.split(':')[0] ?? parameter
    return !resultParameters.has(name) && !listed.includes(name)
  })
}

const changes = ['update', 'patch', 'delete'] as const

/** Without versions nobody can tell that a record changed in between (DESIGN.md, Fine print). */
function versionFaults(rule: ResourceRule, resource: JsonObject): readonly string[] {
  const { versioning, updateCreate } = resource
  const faults: string[] = []
  const writes = changes.some((change) => rule.interactions.includes(change))
  if (writes && rule.unversioned !== true && versioning === 'no-version') {
    faults.push(`${rule.resource} has no versions: the rule needs "unversioned: true"`)
  }
  if (rule.upsert === true && updateCreate !== true) {
    faults.push(`an update of ${rule.resource} creates nothing`)
  }
  return faults
}

function doubtsOf(rule: ResourceRule, resource: JsonObject): readonly string[] {
  const writes = changes.some((change) => rule.interactions.includes(change))
  const unsaid = writes && rule.unversioned !== true && resource['versioning'] === undefined
  const includes: unknown = resource['searchInclude']
  const listed = Array.isArray(includes) ? (includes as unknown[]) : []
  return [
    ...(unsaid ? [`whether ${rule.resource} has versions is not said`] : []),
    ...rule.include
      .filter((path) => !listed.includes(path) && !listed.includes('*'))
      .map((path) => `_include of ${path} is not listed`),
  ]
}

function hasOperation(operation: string, rest: JsonObject): boolean {
  const [type, name] = operation.includes('/') ? operation.split('/') : [undefined, operation]
  const place = type === undefined ? rest : resourceOf(rest, type)
  const bare = name?.replace('$', '')
  return [...objects(place?.['operation']), ...objects(rest['operation'])].some(
    (one) => typeof one['name'] === 'string' && one['name'].replace('$', '') === bare,
  )
}

const resourceOf = (rest: JsonObject, type: string): JsonObject | undefined =>
  objects(rest['resource']).find((resource) => resource['type'] === type)

const codes = (place: JsonObject): readonly unknown[] =>
  objects(place['interaction']).map(({ code }) => code)

function objects(value: unknown): readonly JsonObject[] {
  return Array.isArray(value) ? value.filter(isJsonObject) : []
}
