import { scopeAction } from '../smart/interactions.ts'
import type { Interaction } from '../smart/interactions.ts'
import { referenceTargets } from '../smart/references.ts'
import { tokenPaths } from '../smart/token-search.ts'
import type { LaunchView } from './view.ts'

/**
 * capabilities: what this launch may do, in FHIR's own form (R4 capabilitystatement.html). Made from the rules and the
 * granted scopes; the EHR's own statement, with its URLs, is not passed on.
 */
export function capabilityStatement(view: LaunchView, date: string): object {
  return {
    resourceType: 'CapabilityStatement',
    status: 'active',
    date,
    kind: 'instance',
    software: { name: 'smart-bff' },
    implementation: { description: 'What this launch may do.' },
    fhirVersion: view.tenant.fhirVersion === 'R4B' ? '4.3.0' : '4.0.1',
    format: ['application/fhir+json'],
    rest: [{ mode: 'server', resource: resources(view) }],
  }
}

function resources(view: LaunchView): readonly object[] {
  return [...view.rules].flatMap(([type, rules]) => {
    const codes = new Set(rules.flatMap((rule) => rule.interactions))
    const interaction = [...codes].filter((code) => isGranted(view, type, code))
    if (interaction.length === 0) return []
    const include = new Set(rules.flatMap((rule) => rule.include))
    const search = new Set(rules.flatMap((rule) => rule.search).filter(isSearchParameter))
    return [
      {
        type,
        interaction: interaction.map((code) => ({ code })),
        ...(include.size === 0 ? {} : { searchInclude: [...include] }),
        ...(search.size === 0
          ? {}
          : { searchParam: [...search].map((name) => ({ name, type: kindOf(type, name) })) }),
      },
    ]
  })
}

function isGranted(view: LaunchView, type: string, interaction: Interaction): boolean {
  const action = scopeAction[interaction]
  return action !== undefined && view.covers(type, action).kind !== 'none'
}

/** `_count`, `_sort` and their kin shape the result; a name with a modifier repeats its parameter. */
function isSearchParameter(name: string): boolean {
  return !name.includes(':') && (!name.startsWith('_') || name === '_id' || name === '_lastUpdated')
}

function kindOf(type: string, name: string): string {
  if (tokenPaths(type, name) !== undefined) return 'token'
  return referenceTargets(type, name) === undefined ? 'special' : 'reference'
}
