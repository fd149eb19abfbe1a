import type { FhirResponse } from '@medplum/fhir-router'

/** FHIR R4 types as the FHIR router has them, without a further package. */
export type Resource = Extract<FhirResponse, [unknown, unknown]>[1]
export type OperationOutcome = FhirResponse[0]
export type ResourceType = Resource['resourceType']
export type ResourceOf<T extends ResourceType> = Extract<Resource, { resourceType: T }>
export type Stored<T extends Resource = Resource> = T & { id: string }
export type Bundle = ResourceOf<'Bundle'>
export type BundleEntry = NonNullable<Bundle['entry']>[number]
export type Reference = { reference?: string; display?: string }
