import { isJsonObject } from '../smart/json.ts'
import { parseReference } from '../smart/references.ts'

/** Who may have become whom. */
export interface Merge {
  readonly other: string
  readonly patient: string
  readonly base: string
}

/** True when the current Patient says that it replaces the other one (FHIR R4, Patient.link, type `replaces`). */
export function isReplacedBy(value: unknown, { other, patient, base }: Merge): boolean {
  if (!isJsonObject(value) || value['resourceType'] !== 'Patient' || value['id'] !== patient) {
    return false
  }
  const links: unknown = value['link']
  return Array.isArray(links) && links.some((link: unknown) => replaces(link, other, base))
}

function replaces(link: unknown, other: string, base: string): boolean {
  if (!isJsonObject(link) || link['type'] !== 'replaces') return false
  const text = isJsonObject(link['other']) ? link['other']['reference'] : undefined
  const reference = typeof text === 'string' ? parseReference(text, base) : undefined
  return reference?.type === 'Patient' && reference.id === other
}
