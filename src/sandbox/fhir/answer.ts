import type { Answer } from '../http.ts'
import type { Bundle, BundleEntry, OperationOutcome, Resource } from './types.ts'

/** A resource as a FHIR answer, with the version headers of R4 3.1.0.1.3. */
export function fhirAnswer(
  status: number,
  resource: Resource | OperationOutcome,
  headers: Readonly<Record<string, string>> = {},
): Answer {
  const { versionId, lastUpdated } = resource.meta ?? {}
  return {
    status,
    headers: {
      'content-type': 'application/fhir+json; charset=utf-8',
      'cache-control': 'no-store',
      ...(versionId === undefined ? {} : { etag: `W/"${versionId}"` }),
      ...(lastUpdated === undefined
        ? {}
        : { 'last-modified': new Date(lastUpdated).toUTCString() }),
      ...(status === 403 ? { 'www-authenticate': 'Bearer error="insufficient_scope"' } : {}),
      ...headers,
    },
    body: JSON.stringify(resource),
  }
}

export function outcome(status: number, code: string, text: string): Answer {
  const issue = { severity: 'error', code, details: { text } }
  return fhirAnswer(status, {
    resourceType: 'OperationOutcome',
    issue: [issue],
  } as OperationOutcome)
}

/** RFC 6750 3.1: a token that is missing, expired or revoked. */
export function unauthorized(): Answer {
  const answer = outcome(401, 'login', 'The access token is missing or no longer valid.')
  const headers = { ...answer.headers, 'www-authenticate': 'Bearer error="invalid_token"' }
  return { ...answer, headers }
}

/** The router leaves fullUrl out; FHIR wants it absolute (R4 2.36.4). */
export function withFullUrls(bundle: Bundle, base: string): Bundle {
  const entry = (bundle.entry ?? []).map((one): BundleEntry => {
    const { resourceType, id } = one.resource ?? {}
    return resourceType && id ? { fullUrl: `${base}/${resourceType}/${id}`, ...one } : one
  })
  return { ...bundle, entry }
}

const always = new Set(['resourceType', 'id', 'meta'])

/** `_elements` keeps the named elements and nothing else, the subject included: that is what servers do. */
export function withElements(bundle: Bundle, elements: string | null): Bundle {
  if (elements === null) return bundle
  const wanted = new Set(elements.split(','))
  const entry = (bundle.entry ?? []).map((one): BundleEntry => {
    if (!one.resource) return one
    const kept = Object.entries(one.resource).filter(
      ([name]) => always.has(name) || wanted.has(name),
    )
    return { ...one, resource: Object.fromEntries(kept) as unknown as Resource }
  })
  return { ...bundle, entry }
}
