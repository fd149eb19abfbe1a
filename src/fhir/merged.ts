import { isJsonObject } from '../smart/json.ts'
import { parseReference } from '../smart/references.ts'
import { parseExact } from './exact-json.ts'
import type { UpstreamAnswer, UpstreamFault } from './upstream.ts'

/** True when the current Patient says that it replaces the other one (FHIR R4, Patient.link, type `replaces`). */
export function isReplacedBy(
  other: string,
  patient: string,
  received: UpstreamAnswer | UpstreamFault,
  base: string,
): boolean {
  if (received.kind !== 'answer' || received.status !== 200) return false
  const value = parseExact(received.body)
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
