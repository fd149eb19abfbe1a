import type { Resource } from './types.ts'

/** The elements that say whom a resource is about, tried in this order. */
const elements = ['subject', 'patient', 'beneficiary', 'individual', 'securityContext'] as const

/** The id of the patient a resource is about; undefined when it names none. */
export function subjectOf(resource: Resource): string | undefined {
  if (resource.resourceType === 'Patient') return resource.id
  const members = resource as unknown as Readonly<Record<string, unknown>>
  for (const element of elements) {
    const patient = patientOf(members[element])
    if (patient !== undefined) return patient
  }
  return undefined
}

function patientOf(reference: unknown): string | undefined {
  if (typeof reference !== 'object' || reference === null || !('reference' in reference)) {
    return undefined
  }
  return typeof reference.reference === 'string' ? patientId(reference.reference) : undefined
}

/** `p1`, `Patient/p1` and `<base>/Patient/p1` name the same patient; anything else names none. */
export function patientId(reference: string): string | undefined {
  const match = /(?:^|\/)Patient\/([A-Za-z0-9.-]{1,64})$/.exec(reference)
  return match?.[1]
}
