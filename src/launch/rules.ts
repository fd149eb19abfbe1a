import type { Mode } from '../config/schema/tenant.ts'
import { SmartBffError } from '../errors.ts'
import type { LaunchRecord, UserKind } from '../vault/record.ts'

/** What a mode asks of a launch before it may begin. Pure; throws the code of the first rule that is not met. */
export function judgeLaunch(mode: Mode, record: LaunchRecord, severalPatients: boolean): void {
  judgeUser(mode, record)
  judgePatient(mode, record, severalPatients)
}

const kindsOf: Record<Mode['user'], readonly UserKind[]> = {
  practitioner: ['practitioner'],
  // Proxy access: a parent or carer opens the app for the patient in context.
  patient: ['patient', 'related_person'],
  any: ['practitioner', 'patient', 'related_person', 'other'],
}

/** The fhirUser must be of the mode's kind; a missing one passes only `any` (DESIGN.md, Configuration). */
function judgeUser(mode: Mode, { user }: LaunchRecord): void {
  if (user.kind === undefined ? mode.user === 'any' : kindsOf[mode.user].includes(user.kind)) return
  throw new SmartBffError('LAUNCH_USER_KIND', { detail: user.kind ?? 'missing' })
}

/** Three cases, because what the user does next differs. */
function judgePatient(mode: Mode, { context }: LaunchRecord, several: boolean): void {
  if (mode.patient !== 'required' || context.patient !== undefined) return
  if (several) throw new SmartBffError('LAUNCH_PATIENT_SEVERAL')
  throw new SmartBffError(
    context.encounter === undefined ? 'LAUNCH_PATIENT_MISSING' : 'LAUNCH_ENCOUNTER_ALONE',
  )
}
