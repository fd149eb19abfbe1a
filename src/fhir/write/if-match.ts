/** The version that a write names and the version that is stored (FHIR R4 http.html, managing resource contention). */

/** The opaque part of one quoted ETag; `*`, lists and unquoted values are none (some servers ignore them silently). */
export function opaqueTag(header: string | undefined): string | undefined {
  return /^(?:W\/)?"([\x21\x23-\x29\x2b-\x7e]{1,200})"$/.exec(header ?? '')?.[1]
}
