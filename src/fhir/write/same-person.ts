import { isJsonObject } from '../../smart/json.ts'
import type { JsonObject } from '../../smart/json.ts'

/** What the app shows of the patient, to be confirmed by the user. */
export interface Shown {
  readonly name: string
  readonly birthDate: string
}

/**
 * Is the patient on the screen the one in the record? The birth date must be the same text; the name one of the ways in
 * which a current name of the Patient (FHIR R4 datatypes, HumanName) is commonly written. Case and spaces do not count.
 */
export function isSamePerson(patient: JsonObject, shown: Shown): boolean {
  const { birthDate = '' } = patient
  if (birthDate !== shown.birthDate) return false
  const wanted = plain(shown.name)
  return wanted !== '' && names(patient).some((name) => plain(name) === wanted)
}

function names(patient: JsonObject): readonly string[] {
  const { name } = patient
  if (!Array.isArray(name)) return []
  return name.flatMap((one: unknown) =>
    isJsonObject(one) && one['use'] !== 'old' && one['use'] !== 'maiden' ? spellings(one) : [],
  )
}

function spellings(name: JsonObject): readonly string[] {
  const { text, family } = name
  const given = texts(name['given'])
  const prefix = texts(name['prefix']).join(' ')
  const suffix = texts(name['suffix']).join(' ')
  const last = typeof family === 'string' ? family : ''
  const forms = [given, given.slice(0, 1)].flatMap((list) => {
    const first = list.join(' ')
    const full = `${first} ${last}`
    return [full, `${last}, ${first}`, `${last} ${first}`, `${prefix} ${full}`, `${full} ${suffix}`]
  })
  return [...(typeof text === 'string' ? [text] : []), ...forms]
}

function texts(list: unknown): readonly string[] {
  return Array.isArray(list) ? list.filter((one) => typeof one === 'string') : []
}

function plain(text: string): string {
  return text.normalize('NFC').toLowerCase().replaceAll(/\s+/g, ' ').trim()
}
