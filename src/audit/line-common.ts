import { maxPatients } from './event.ts'
import type { AuditEvent, AuditUser } from './event.ts'
import { createGenerations } from './generations.ts'
import type { LineDeps } from './line.ts'
import { array, configured } from './members.ts'
import { pseudonymOrName } from './person.ts'
import type { Pseudonyms } from './pseudonyms.ts'

/**
 * What the records of a launch have in common: its tenant, its mode, itself, and who looked, from where, at whom. It
 * is half of a line, and remembered for as long as nothing of it changes.
 */
export interface Common {
  readonly where: string
  readonly who: string
}

type Parts = Pick<AuditEvent, 'tenant' | 'mode' | 'client' | 'user' | 'patient'>

interface Known extends Common {
  readonly of: Parts
}

const launches = 4096

export function createCommon(deps: LineDeps): (event: AuditEvent) => Common {
  const memory = createGenerations<Known>(launches)
  return (event) => {
    const { launch, tenant, mode, client, user, patient } = event
    const known = launch === undefined ? undefined : memory.get(launch)
    if (known !== undefined && isSame(known.of, event)) return known
    const of = { tenant, mode, client, user, patient }
    const made = { of, where: where(event, deps), who: who(event, deps) }
    // A stranger may say any launch, and a list of patients is of one answer.
    if (launch !== undefined && user !== undefined && typeof patient !== 'object') {
      memory.set(launch, made)
    }
    return made
  }
}

function isSame(known: Parts, event: Parts): boolean {
  return (
    known.tenant === event.tenant &&
    known.mode === event.mode &&
    known.client === event.client &&
    known.user === event.user &&
    known.patient === event.patient
  )
}

function where(event: AuditEvent, deps: LineDeps): string {
  const { vocabulary, pseudonyms } = deps
  return (
    configured('tenant', event.tenant, vocabulary.tenants) +
    configured('mode', event.mode, vocabulary.modes) +
    (event.launch === undefined ? '' : `,"launch":"${pseudonyms.launch(event.launch)}"`)
  )
}

function who(event: AuditEvent, deps: LineDeps): string {
  const { pseudonyms } = deps
  const tenant = event.tenant ?? ''
  const client =
    event.client === undefined ? '' : `,"client":"${pseudonyms.client(event.client.slice(0, 128))}"`
  return client + userMember(tenant, event.user, pseudonyms) + patientMember(tenant, event, deps)
}

function userMember(tenant: string, user: AuditUser | undefined, pseudonyms: Pseudonyms): string {
  if (user === undefined) return ''
  const person = pseudonymOrName(tenant, user, pseudonyms)
  return person === undefined ? '' : `,"user":"${person}"`
}

function patientMember(tenant: string, event: AuditEvent, { pseudonyms }: LineDeps): string {
  const { patient } = event
  if (patient === undefined) return ''
  if (typeof patient === 'string') return `,"patient":"${pseudonyms.patient(tenant, patient)}"`
  const different = new Set(patient)
  if (different.size > maxPatients) throw new RangeError('more patients than a record can hold')
  return array(
    'patient',
    [...different].map((id) => pseudonyms.patient(tenant, id)),
  )
}
