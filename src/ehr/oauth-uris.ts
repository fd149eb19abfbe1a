import { SmartBffError } from '../errors.ts'
import { isJsonObject, type JsonObject } from '../smart/json.ts'

/**
 * The older discovery (SMART App Launch 1.0, still met at STU1 servers): the extension `oauth-uris` of the
 * CapabilityStatement, told in the words of smart-configuration. Pure. It names no issuer, no keys and no PKCE list.
 */
export function readOAuthUris(document: JsonObject | undefined): JsonObject {
  if (document === undefined) throw invalid('metadata is not a JSON object')
  // DSTU2 calls it Conformance, and a DSTU2 server has none of the resources that the proxy knows.
  if (document['resourceType'] !== 'CapabilityStatement') throw invalid('no CapabilityStatement')
  const { fhirVersion } = document
  if (typeof fhirVersion === 'string' && !/^4\.[0-9.]+/.test(fhirVersion)) {
    throw invalid('metadata of another FHIR version')
  }
  const uris = objects(document['rest'])
    .flatMap(({ security }) => (isJsonObject(security) ? objects(security['extension']) : []))
    .find(({ url }) => typeof url === 'string' && isOAuthUris(url))
  if (uris === undefined) throw invalid('metadata without oauth-uris')
  const parts = new Map(objects(uris['extension']).map((part) => [part['url'], part['valueUri']]))
  return {
    authorization_endpoint: parts.get('authorize'),
    token_endpoint: parts.get('token'),
    introspection_endpoint: parts.get('introspect'),
    revocation_endpoint: parts.get('revoke'),
  }
}

/** Cerner's specification spells the host `FHIR-registry` (smart-conformance.md 1.4). */
const isOAuthUris = (url: string): boolean =>
  /^https?:\/\/fhir-registry\.smarthealthit\.org\/StructureDefinition\/oauth-uris$/i.test(url)

const entriesMax = 1_000

const objects = (value: unknown): readonly JsonObject[] =>
  Array.isArray(value) ? value.slice(0, entriesMax).filter(isJsonObject) : []

const invalid = (detail: string): SmartBffError =>
  new SmartBffError('EHR_DISCOVERY_INVALID', { detail })
