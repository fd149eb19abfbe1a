import { scopeAction } from '../smart/interactions.ts'
import type { Interaction } from '../smart/interactions.ts'
import { isJsonObject } from '../smart/json.ts'
import type { JsonObject } from '../smart/json.ts'
import type { LaunchView } from './view.ts'

/**
 * capabilities: what this launch may do, in FHIR's own form (R4 capabilitystatement.html): what rules and granted
 * scopes permit, as far as the EHR says that it can do it. The EHR's own statement, with its URLs, is not passed on.
 */
export function capabilityStatement(view: LaunchView, ehr: JsonObject, date: string): object {
  const server = objects(ehr['rest']).find(({ mode }) => mode === 'server') ?? {}
  const interaction = codes(server['interaction']).filter((code) =>
    [...view.bundles.keys()].some((kind) => kind === code),
  )
  const operation = operations(view, undefined, server)
  return {
    resourceType: 'CapabilityStatement',
    status: 'active',
    date,
    kind: 'instance',
    software: { name: 'smart-bff' },
    implementation: { description: 'What this launch may do.' },
    fhirVersion: view.tenant.fhirVersion === 'R4B' ? '4.3.0' : '4.0.1',
    format: ['application/fhir+json'],
    rest: [
      {
        mode: 'server',
        resource: resources(view, server),
        ...listed('interaction', interaction.map(withCode)),
        ...listed('operation', operation),
      },
    ],
  }
}

/** Of the answer to `GET metadata` what is needed here, which is little of it; undefined where it is none. */
export function readStatement(value: unknown): JsonObject | undefined {
  const known = isJsonObject(value) && value['resourceType'] === 'CapabilityStatement'
  if (!known || !Array.isArray(value['rest'])) return undefined
  const rest = objects(value['rest']).map((one) => ({
    mode: one['mode'],
    interaction: picked(one['interaction'], ['code']),
    operation: picked(one['operation'], ['name']),
    resource: objects(one['resource']).map((resource) => ({
      type: resource['type'],
      versioning: resource['versioning'],
      interaction: picked(resource['interaction'], ['code']),
      operation: picked(resource['operation'], ['name']),
      searchInclude: texts(resource['searchInclude']),
      searchParam: picked(resource['searchParam'], ['name', 'type']),
    })),
  }))
  return { rest }
}

function picked(list: unknown, names: readonly string[]): readonly JsonObject[] {
  return objects(list).map((one) => Object.fromEntries(names.map((name) => [name, one[name]])))
}

function resources(view: LaunchView, server: JsonObject): readonly object[] {
  return objects(server['resource']).flatMap((offered) => {
    const { type } = offered
    if (typeof type !== 'string') return []
    const rules = view.rules.get(type) ?? []
    const offers = codes(offered['interaction'])
    const allowed = new Set(rules.flatMap((rule) => rule.interactions))
    const interaction = [...allowed].filter(
      (code) => offers.includes(code) && isGranted(view, type, code),
    )
    const operation = operations(view, type, offered)
    if (interaction.length === 0 && operation.length === 0) return []
    const includes = texts(offered['searchInclude'])
    const include = new Set(rules.flatMap((rule) => rule.include).filter(offeredBy(includes)))
    const { versioning } = offered
    const versions = isVersioning(versioning) ? { versioning } : {}
    return [
      {
        type,
        ...listed('interaction', interaction.map(withCode)),
        ...versions,
        ...listed('searchInclude', [...include]),
        ...listed('searchParam', parameters(rules, offered)),
        ...listed('operation', operation),
      },
    ]
  })
}

/** Of those that the EHR names, with the types that it gives; `_id` every server knows (FHIR R4 search, parameters). */
function parameters(
  rules: readonly { readonly search: readonly string[] }[],
  offered: JsonObject,
): readonly object[] {
  const names = new Set(rules.flatMap((rule) => rule.search))
  const known = objects(offered['searchParam']).flatMap(({ name, type }) =>
    typeof name === 'string' && names.has(name) && isParameterType(type) ? [{ name, type }] : [],
  )
  const id = names.has('_id') && !known.some(({ name }) => name === '_id')
  return id ? [{ name: '_id', type: 'token' }, ...known] : known
}

/** A rule's operations on a type, or on the whole system, that the EHR offers. */
function operations(
  view: LaunchView,
  type: string | undefined,
  offered: JsonObject,
): readonly object[] {
  const prefix = type === undefined ? '$' : `${type}/$`
  const names = objects(offered['operation']).map(({ name }) => name)
  return [...view.operations.keys()].flatMap((path) => {
    const name = path.startsWith(prefix) ? path.slice(prefix.length) : ''
    // Some servers write the name with its dollar sign.
    if (name === '' || !(names.includes(name) || names.includes(`$${name}`))) return []
    const definition = `http://hl7.org/fhir/OperationDefinition/${type ?? 'Resource'}-${name}`
    return [{ name, definition }]
  })
}

function isGranted(view: LaunchView, type: string, interaction: Interaction): boolean {
  const action = scopeAction[interaction]
  return action !== undefined && view.covers(type, action).kind !== 'none'
}

/** `Type:parameter` and `Type:parameter:Target` name the same include; `*` offers them all. */
function offeredBy(includes: readonly string[]) {
  return (path: string): boolean =>
    includes.includes('*') ||
    includes.some((one) => one.split(':', 2).join(':') === path.split(':', 2).join(':'))
}

const parameterTypes = 'number date string token reference composite quantity uri special'.split(
  ' ',
)
const versionings = ['no-version', 'versioned', 'versioned-update']
const isParameterType = (type: unknown): type is string =>
  typeof type === 'string' && parameterTypes.includes(type)
const isVersioning = (value: unknown): value is string =>
  typeof value === 'string' && versionings.includes(value)

const withCode = (code: string): object => ({ code })

/** FHIR knows no empty lists. */
function listed(name: string, list: readonly unknown[]): object {
  return list.length === 0 ? {} : { [name]: list }
}

function objects(list: unknown): readonly JsonObject[] {
  return Array.isArray(list) ? list.filter(isJsonObject) : []
}

function codes(list: unknown): readonly string[] {
  return objects(list).flatMap(({ code }) => (typeof code === 'string' ? [code] : []))
}

function texts(list: unknown): readonly string[] {
  return Array.isArray(list) ? list.filter((one) => typeof one === 'string') : []
}
