import type { Answer } from '../http.ts'
import { fhirAnswer } from './answer.ts'
import type { Resource } from './types.ts'

/** A Binary is FHIR JSON for whoever asks for FHIR, and its raw content for everybody else (R4 2.35.1). */
export function binaryAnswer(resource: Resource, accept: string | undefined): Answer {
  if (resource.resourceType !== 'Binary') return fhirAnswer(200, resource)
  if (accept?.includes('fhir+json') || accept?.startsWith('application/json')) {
    return fhirAnswer(200, resource)
  }
  return {
    status: 200,
    headers: { 'content-type': resource.contentType, 'cache-control': 'no-store' },
    body: Buffer.from(resource.data ?? '', 'base64'),
  }
}
