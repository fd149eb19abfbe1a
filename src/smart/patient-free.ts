/**
 * Types whose records are about no patient at all: who works where, and knowledge. Anything not listed here needs a
 * subject (DESIGN rule 6). Device, Group, Schedule and Provenance are left out on purpose: they may concern a patient.
 */
export const patientFreeTypes: ReadonlySet<string> = new Set([
  // People and places of the health service
  'Practitioner',
  'PractitionerRole',
  'Organization',
  'OrganizationAffiliation',
  'Location',
  'HealthcareService',
  'Endpoint',
  'Slot',
  'InsurancePlan',
  // Things
  'Medication',
  'MedicationKnowledge',
  'Substance',
  'SubstanceSpecification',
  'DeviceDefinition',
  'CatalogEntry',
  // Knowledge and terminology
  'ActivityDefinition',
  'ChargeItemDefinition',
  'CodeSystem',
  'ConceptMap',
  'EventDefinition',
  'Library',
  'Measure',
  'NamingSystem',
  'ObservationDefinition',
  'PlanDefinition',
  'Questionnaire',
  'ResearchStudy',
  'SpecimenDefinition',
  'StructureDefinition',
  'SearchParameter',
  'OperationDefinition',
  'ValueSet',
])
