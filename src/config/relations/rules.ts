import type { Draft } from '../draft.ts'
import type { Finding } from '../fault.ts'
import type { ResourceRule } from '../schema/rule.ts'
import { eachMode } from './modes.ts'

/** Each key of a rule that means something only beside certain interactions: alone it would promise what never happens. */
const companions: readonly [key: keyof ResourceRule, needed: readonly string[]][] = [
  ['search', ['search-type']],
  ['include', ['search-type']],
  ['upsert', ['update']],
  ['unversioned', ['update', 'patch', 'delete']],
  ['validate', ['create', 'update']],
  ['confirm', ['create', 'update', 'patch', 'delete']],
]

/** What the app confirms is held against the Patient, read by the rules of the same mode (src/fhir/write/confirm.ts). */
export function confirmCanRead(draft: Draft): Finding[] {
  return eachMode(draft, ({ allow }, path) => {
    const readsPatient = allow.some(
      (rule) =>
        'resource' in rule && rule.resource === 'Patient' && rule.interactions.includes('read'),
    )
    if (readsPatient) return []
    return allow.flatMap((rule, index) => {
      if (!('resource' in rule) || rule.confirm !== true) return []
      const expected = 'a rule of this mode that allows read of Patient'
      return [{ path: [...path, 'allow', index, 'confirm'], found: 'no such rule', expected }]
    })
  })
}

export function ruleKeysFit(draft: Draft): Finding[] {
  return eachMode(draft, ({ allow }, path) =>
    allow.flatMap((rule, index) =>
      'resource' in rule
        ? judgeRule(rule).map((finding) => ({
            ...finding,
            path: [...path, 'allow', index, ...finding.path],
          }))
        : [],
    ),
  )
}

function judgeRule(rule: ResourceRule): Finding[] {
  const interactions: readonly string[] = rule.interactions
  return companions.flatMap(([key, needed]) => {
    const value = rule[key]
    const isSet = Array.isArray(value) ? value.length > 0 : value === true
    if (!isSet || needed.some((code) => interactions.includes(code))) return []
    const expected = `${needed.join(' or ')} among the interactions of a rule with ${key}`
    return [{ path: [key], found: `interactions ${interactions.join(', ')}`, expected }]
  })
}
