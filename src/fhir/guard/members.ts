import * as codes from './codes.ts'

/** The members that matter, by name: the vector learns them from here (vector.ts). */
export const memberNames: readonly (readonly [string, number])[] = [
  ['resourceType', codes.resourceType],
  ['id', codes.id],
  ['reference', codes.reference],
  ['contained', codes.contained],
  ['resource', codes.resource],
  ['entry', codes.entry],
  ['link', codes.link],
  ['fullUrl', codes.fullUrl],
  ['type', codes.type],
  ['url', codes.url],
  ['location', codes.location],
  ['subject', codes.subject],
  ['patient', codes.patient],
  ['beneficiary', codes.beneficiary],
  ['candidate', codes.candidate],
  ['individual', codes.individual],
  ['for', codes.forMember],
  ['deliverTo', codes.deliverTo],
  ...['meta', 'implicitRules', 'language', 'identifier', 'timestamp', 'total', 'signature'].map(
    (name) => [name, codes.bundleMember] as const,
  ),
]

/** What a Bundle is made of (FHIR R4 bundle.html); anything else at its root is not passed on. */
export const bundleMembers: ReadonlySet<string> = new Set([
  'resourceType',
  'id',
  'type',
  'link',
  'entry',
  ...memberNames.filter(([, code]) => code === codes.bundleMember).map(([name]) => name),
])
