import type { Draft, ModeDraft, TenantDraft } from '../draft.ts'
import { type Finding, type Path, quote } from '../fault.ts'
import { repeated } from './tenants.ts'

export function modeIdsUnique({ tenants }: Draft): Finding[] {
  return tenants.flatMap(({ index, modes }) =>
    repeated(modes, ({ id }) => id).map(({ item, value }) => ({
      path: ['tenants', index, 'modes', item.index, 'id'],
      found: quote(value),
      expected: 'an id that no other mode of this tenant has',
    })),
  )
}

/** A mode that wants a kind of user must ask who the user is (SMART App Launch 2.2, scopes for identity data). */
export function modeUserFits(draft: Draft): Finding[] {
  return eachMode(draft, ({ user, scopes }, path) => {
    const asksWho = scopes.includes('fhirUser') || scopes.includes('profile')
    if (user === 'any' || (scopes.includes('openid') && asksWho)) return []
    const expected = `openid and fhirUser, because user is ${user}`
    return [{ path: [...path, 'scopes'], found: 'no scope that tells the user', expected }]
  })
}

/** Without a patient, `patient/` scopes cover nothing (DESIGN rule 6). */
export function modePatientFits(draft: Draft): Finding[] {
  return eachMode(draft, ({ patient, scopes, allow }, path) => {
    const wrongScopes = scopes.flatMap((scope, index) => {
      if (patient !== 'none' || !/^(launch\/)?patient(\/|$)/.test(scope)) return []
      const expected = 'no patient scope, because patient is none'
      return [{ path: [...path, 'scopes', index], found: quote(scope), expected }]
    })
    const wrongRules = allow.flatMap((rule, index) => {
      const without = 'withoutPatient' in rule && rule.withoutPatient === true
      if (!without || patient === 'optional') return []
      const expected = 'this key only where patient is optional'
      return [{ path: [...path, 'allow', index, 'withoutPatient'], found: 'true', expected }]
    })
    return [...wrongScopes, ...wrongRules]
  })
}

/** SMART App Launch 2.2: `launch` belongs to an EHR launch, `launch/patient` asks a standalone one for its context. */
export function scopesFitTheLaunch(draft: Draft): Finding[] {
  return eachMode(draft, ({ launch, scopes, patient }, path, { quirks }) => {
    const asks = scopes.includes('launch')
    if (launch === 'ehr' && !asks) {
      return [{ path: [...path, 'scopes'], found: 'no scope launch', expected: 'launch' }]
    }
    if (launch === 'ehr') return []
    // @152, @166: nobody gives a standalone launch a patient that it does not ask for.
    const needs = patient === 'required' && quirks?.patientFallback !== 'fhirUser'
    if (needs && !scopes.includes('launch/patient')) {
      const expected = 'launch/patient, because the launch is standalone and patient is required'
      return [{ path: [...path, 'scopes'], found: 'no scope launch/patient', expected }]
    }
    if (!asks) return []
    const index = scopes.indexOf('launch')
    const expected = 'launch/patient or launch/encounter, because the launch is standalone'
    return [{ path: [...path, 'scopes', index], found: '"launch"', expected }]
  })
}

/** Judges every mode; `path` is the mode's place. */
export function eachMode(
  draft: Draft,
  judge: (mode: ModeDraft, path: Path, tenant: TenantDraft) => readonly Finding[],
): Finding[] {
  return draft.tenants.flatMap((tenant) =>
    tenant.modes.flatMap((mode) =>
      judge(mode, ['tenants', tenant.index, 'modes', mode.index], tenant),
    ),
  )
}
