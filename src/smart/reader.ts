import type { UserKind } from '../vault/record.ts'

/** Who reads our pages: the staff of a hospital, or a patient, or whoever acts for one, in no EHR and at no chart. */
export type Reader = 'clinician' | 'patient'

interface ForUser {
  readonly user: 'practitioner' | 'patient' | 'any'
}

/** By who has signed in, where that is known, else by whom the mode is for. */
export function readerOf({ user }: ForUser, kind?: UserKind): Reader {
  if (kind === undefined || kind === 'other') return user === 'patient' ? 'patient' : 'clinician'
  return kind === 'practitioner' ? 'clinician' : 'patient'
}

/** Of a page that knows no launch: patients, where no mode is for anybody else. */
export function usualReader(tenants: readonly { readonly modes: readonly ForUser[] }[]): Reader {
  const modes = tenants.flatMap((tenant) => tenant.modes)
  return modes.every(({ user }) => user === 'patient') ? 'patient' : 'clinician'
}
