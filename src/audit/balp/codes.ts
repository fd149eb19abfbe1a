/** The codes that IHE BALP 1.1.4 and FHIR R4 ask for in an AuditEvent. */
export interface Coding {
  readonly system: string
  readonly code: string
  readonly display?: string
}

const dicom = 'http://dicom.nema.org/resources/ontology/DCM'
const participation = 'http://terminology.hl7.org/CodeSystem/v3-ParticipationType'
const entityType = 'http://terminology.hl7.org/CodeSystem/audit-entity-type'
const objectRole = 'http://terminology.hl7.org/CodeSystem/object-role'

export const rest: Coding = {
  system: 'http://terminology.hl7.org/CodeSystem/audit-event-type',
  code: 'rest',
  display: 'Restful Operation',
}

export const interactionCoding = (code: string): Coding => ({
  system: 'http://hl7.org/fhir/restful-interaction',
  code,
})

export const agents = {
  source: { system: dicom, code: '110153', display: 'Source Role ID' },
  destination: { system: dicom, code: '110152', display: 'Destination Role ID' },
  application: { system: dicom, code: '110150', display: 'Application' },
  custodian: {
    system: 'http://terminology.hl7.org/CodeSystem/provenance-participant-type',
    code: 'custodian',
    display: 'Custodian',
  },
  recipient: { system: participation, code: 'IRCP', display: 'information recipient' },
  author: { system: participation, code: 'AUT', display: 'author (originator)' },
} as const satisfies Record<string, Coding>

export const entities = {
  person: { system: entityType, code: '1', display: 'Person' },
  object: { system: entityType, code: '2', display: 'System Object' },
  requestId: {
    system: 'https://profiles.ihe.net/ITI/BALP/CodeSystem/BasicAuditEntityType',
    code: 'XrequestId',
  },
} as const satisfies Record<string, Coding>

export const roles = {
  patient: { system: objectRole, code: '1', display: 'Patient' },
  domainResource: { system: objectRole, code: '4', display: 'Domain Resource' },
  query: { system: objectRole, code: '24', display: 'Query' },
} as const satisfies Record<string, Coding>

export const applicationServer: Coding = {
  system: 'http://terminology.hl7.org/CodeSystem/security-source-type',
  code: '4',
  display: 'Application Server',
}

/** FHIR R4, network-type: machine name, IP address, URI. */
export const network = { machine: '1', address: '2', uri: '5' } as const

export const profile = (name: string): string =>
  `https://profiles.ihe.net/ITI/BALP/StructureDefinition/IHE.BasicAudit.${name}`
