import type { FhirContextItem, LaunchContext } from '../vault/record.ts'
import { isJsonObject, type JsonObject } from './json.ts'

/**
 * Reads the launch context out of a token response (SMART App Launch 2.2, launch context parameters;
 * smart-conformance.md 1.11). Pure. What is malformed or unknown is dropped; the audit hears the names received.
 */
export interface ReceivedContext {
  readonly context: LaunchContext
  /** Names of the known members that came, malformed ones included, for the audit. Never their values. */
  readonly received: readonly string[]
  /** More than one patient was named as the one in context; `context.patient` is none of them then. */
  readonly severalPatients: boolean
}

const known = [
  'patient',
  'encounter',
  'fhirContext',
  'need_patient_banner',
  'intent',
  'smart_style_url',
  'tenant',
] as const

/** `fhirBase` is the tenant's: references under it are made relative, and where it is http a style may be http too. */
export function readLaunchContext(members: JsonObject, fhirBase: string): ReceivedContext {
  return {
    context: {
      patient: fhirId(members['patient']),
      encounter: fhirId(members['encounter']),
      fhirContext: fhirContext(members['fhirContext'], fhirBase),
      intent: shortText(members['intent']),
      needPatientBanner: needsBanner(members['need_patient_banner']),
      styleUrl: styleUrl(members['smart_style_url'], fhirBase),
      tenant: shortText(members['tenant']),
    },
    received: known.filter((name) => members[name] !== undefined),
    severalPatients: namesSeveral(members, fhirBase),
  }
}

/**
 * The members that a later answer brought, to be laid over those of the first: absence takes nothing away
 * (smart-conformance.md 0, 6).
 */
export function receivedMembers({ context, received }: ReceivedContext): Partial<LaunchContext> {
  const came = (name: (typeof known)[number]): boolean => received.includes(name)
  return {
    ...(context.patient === undefined ? {} : { patient: context.patient }),
    ...(context.encounter === undefined ? {} : { encounter: context.encounter }),
    ...(came('fhirContext') ? { fhirContext: context.fhirContext } : {}),
    ...(context.intent === undefined ? {} : { intent: context.intent }),
    ...(came('need_patient_banner') ? { needPatientBanner: context.needPatientBanner } : {}),
    ...(context.styleUrl === undefined ? {} : { styleUrl: context.styleUrl }),
    ...(context.tenant === undefined ? {} : { tenant: context.tenant }),
  }
}

/** FHIR R4, datatype id; dots alone would be a step in a path. */
const id = /^(?!\.+$)[A-Za-z0-9\-.]{1,64}$/

/** A URL, a list or an external identifier is not an id and names no patient. */
function fhirId(value: unknown): string | undefined {
  return typeof value === 'string' && id.test(value) ? value : undefined
}

/** A list in `patient`, or Patients in fhirContext without a role of their own; SMART knows neither, EHRs do. */
function namesSeveral({ patient, fhirContext: items }: JsonObject, fhirBase: string): boolean {
  if (fhirId(patient) !== undefined) return false
  const listed = typeof patient === 'string' ? patient.split(',') : patient
  if (Array.isArray(listed)) return new Set(listed).size > 1
  if (!Array.isArray(items)) return false
  const references = items
    .slice(0, contextItemsMax)
    .filter(isJsonObject)
    .filter(({ role }) => role === undefined || role === null || role === 'launch')
    .map(({ reference }) => referenceOf(reference, fhirBase))
    .filter((reference) => reference?.startsWith('Patient/'))
  return new Set(references).size > 1
}

const textLengthMax = 256

/** Printable, without markup, control characters or turns of direction: apps may show it to people. */
function shortText(value: unknown): string | undefined {
  if (typeof value !== 'string' || value === '' || value.length > textLengthMax) return undefined
  return /^[^\p{Cc}\p{Cf}<>]+$/u.test(value) ? value : undefined
}

/** Booleans and the strings that Epic sends. Absent or unknown: a banner too many harms nobody. */
function needsBanner(value: unknown): boolean {
  if (typeof value === 'boolean') return value
  return !(typeof value === 'string' && value.toLowerCase() === 'false')
}

/** SMART @1: over TLS; http only in development, where the EHR is http itself. */
function styleUrl(value: unknown, fhirBase: string): string | undefined {
  if (typeof value !== 'string' || value.length > 2000) return undefined
  const { protocol, username, password } = URL.parse(value) ?? {}
  if (username !== '' || password !== '') return undefined
  if (protocol === 'https:') return value
  return protocol === 'http:' && fhirBase.startsWith('http:') ? value : undefined
}

const contextItemsMax = 50

function fhirContext(value: unknown, fhirBase: string): readonly FhirContextItem[] {
  if (!Array.isArray(value)) return []
  return value
    .slice(0, contextItemsMax)
    .map((item) => contextItem(item, fhirBase))
    .filter((item) => item !== undefined)
}

/**
 * SMART @191: `role` absent means `launch`, so an item whose role cannot be read is dropped whole: without it the item
 * would mean more. At least one of reference, canonical, identifier.
 */
function contextItem(value: unknown, fhirBase: string): FhirContextItem | undefined {
  if (!isJsonObject(value)) return undefined
  const reference = referenceOf(value['reference'], fhirBase)
  const canonical = matching(value['canonical'], /^(https?:\/\/|urn:)[^\s<>"]{1,1000}$/)
  const identifier = identifierOf(value['identifier'])
  const type = matching(value['type'], /^[A-Z][A-Za-z]{1,63}$/)
  const role = matching(value['role'], /^[^\s<>"]{1,500}$/)
  if ((value['role'] ?? undefined) !== undefined && role === undefined) return undefined
  if (reference === undefined && canonical === undefined && identifier === undefined) {
    return undefined
  }
  if (namesTheContext(reference, role)) return undefined
  return {
    ...(reference === undefined ? {} : { reference }),
    ...(canonical === undefined ? {} : { canonical }),
    ...(identifier === undefined ? {} : { identifier }),
    ...(type === undefined ? {} : { type }),
    ...(role === undefined ? {} : { role }),
  }
}

function referenceOf(value: unknown, fhirBase: string): string | undefined {
  if (typeof value !== 'string') return undefined
  const base = fhirBase.endsWith('/') ? fhirBase : `${fhirBase}/`
  const local = value.startsWith(base) ? value.slice(base.length) : value
  return matching(local, /^[A-Z][A-Za-z]{1,63}\/(?!\.+$)[A-Za-z0-9\-.]{1,64}$/)
}

/** Patient and encounter of the launch stand in `patient` and `encounter` only; here they need another role. */
const namesTheContext = (reference: string | undefined, role = 'launch'): boolean =>
  role === 'launch' && /^(Patient|Encounter)\//.test(reference ?? '')

function matching(value: unknown, shape: RegExp): string | undefined {
  return typeof value === 'string' && shape.test(value) ? value : undefined
}

function identifierOf(value: unknown): FhirContextItem['identifier'] {
  if (!isJsonObject(value)) return undefined
  const system = matching(value['system'], /^[^\s<>"]{1,500}$/)
  const text = shortText(value['value'])
  if (system === undefined && text === undefined) return undefined
  return {
    ...(system === undefined ? {} : { system }),
    ...(text === undefined ? {} : { value: text }),
  }
}
