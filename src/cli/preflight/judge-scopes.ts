import type { Mode } from '../../config/schema/tenant.ts'
import { scopeAction } from '../../smart/interactions.ts'
import {
  covers,
  type Need,
  parseScope,
  parseScopes,
  type ResourceScope,
  type ScopeAction,
} from '../../smart/scopes.ts'
import { listGives } from '../../smart/scope-lists.ts'
import { type Finding, inArea, quoted } from './finding.ts'

/** A mode's scopes: as they are sent, against the EHR's list, and as configured against the mode's own rules in both directions. Pure. */

const say = inArea('scopes')

/** SMART App Launch 2.2, conformance: `scopes_supported` is recommended and not exhaustive, so absence only warns. */
export function judgeSupported(
  mode: Mode,
  requested: readonly string[],
  supported: readonly string[],
): readonly Finding[] {
  if (supported.length === 0) return [say.warn(mode.id, 'the EHR lists no scopes')]
  const offered = parseScopes(supported.slice(0, listMax).join(' '))
  const resources = requested.filter((scope) => parseScope(scope) !== undefined)
  const others = requested.filter((scope) => parseScope(scope) === undefined)
  const missing = others.filter((scope) => !listGives(supported, scope))
  if (offered.length === 0 && resources.length > 0) {
    return [
      ...notListed(mode, missing),
      say.warn(
        mode.id,
        'the EHR lists no resource scopes; they follow from how the app is registered',
      ),
    ]
  }
  const uncovered = resources.filter((scope) => !listGives(supported, scope))
  const absent = [...missing, ...uncovered]
  return absent.length === 0
    ? [say.ok(mode.id, 'every scope is on the EHR’s list')]
    : notListed(mode, absent)
}

const listMax = 5000

const notListed = (mode: Mode, scopes: readonly string[]): readonly Finding[] =>
  scopes.map((scope) =>
    say.warn(
      `${mode.id}: ${scope}`,
      'not on the EHR’s list; the matrix will show whether it is granted',
    ),
  )

const allActions: readonly ScopeAction[] = ['c', 'r', 'u', 'd', 's']

const actionsOf = ({ actions }: ResourceScope): readonly ScopeAction[] =>
  allActions.filter((action) => actions.includes(action))

interface NeedOfRule {
  readonly feature: string
  readonly interaction: string
  readonly need: Need
}

/** What the mode's rules ask of the scopes; batches and operations have no letter of their own. */
function needsOf(mode: Mode): readonly NeedOfRule[] {
  return mode.allow.flatMap((rule) => {
    if (!('resource' in rule)) return []
    const patient = mode.patient !== 'none' && rule.withoutPatient !== true
    return rule.interactions.flatMap((interaction) => {
      const action = scopeAction[interaction]
      if (action === undefined) return []
      const need = { resource: rule.resource, action, patient }
      return [{ feature: rule.feature, interaction, need }]
    })
  })
}

/** Rules that no scope covers can never be used. */
export function judgeUncovered(mode: Mode): readonly Finding[] {
  const scopes = parseScopes(mode.scopes.join(' '))
  return needsOf(mode)
    .filter(({ need }) => covers(scopes, need).kind === 'none')
    .map(({ feature, interaction, need }) =>
      say.fail(
        `${mode.id}: ${feature}`,
        `no scope covers ${need.resource} ${interaction}: ask for ${need.patient ? 'patient' : 'user'}/${need.resource}.${need.action}`,
      ),
    )
}

/** SMART @46: the fewest scopes that do. */
export function judgeUnneeded(mode: Mode): readonly Finding[] {
  const needs = needsOf(mode)
  // An operation may answer with any type, so none of the scopes can be called unneeded.
  const findings = mode.allow.some((rule) => 'operation' in rule)
    ? []
    : mode.scopes.flatMap((text) => unneeded(mode, text, needs))
  return findings.length === 0 && judgeUncovered(mode).length === 0
    ? [say.ok(mode.id, 'every rule has a scope and every scope a rule')]
    : findings
}

function unneeded(mode: Mode, text: string, needs: readonly NeedOfRule[]): readonly Finding[] {
  const scope = parseScope(text)
  if (scope === undefined) return []
  const used = needs.filter(({ need }) => covers([scope], need).kind !== 'none')
  const subject = `${mode.id}: ${text}`
  if (used.length === 0) return [say.warn(subject, 'no rule needs it: leave it out')]
  if (scope.resource === '*') {
    const types = [...new Set(used.map(({ need }) => need.resource))]
    return [say.warn(subject, `a wildcard, where the rules need only ${quoted(types)}`)]
  }
  const idle = actionsOf(scope).filter((action) => !used.some(({ need }) => need.action === action))
  return idle.length === 0
    ? []
    : [say.warn(subject, `no rule needs ${idle.map((one) => `"${one}"`).join(' and ')}`)]
}
