import type { AnswerHeaders } from './upstream.ts'

/** RFC 9110 8.8.3 and 5.6.7; a header that is neither is not passed on. */
const etagPattern = /^(?:W\/)?"[\x21\x23-\x7e]{0,200}"$/
const datePattern = /^[A-Z][a-z]{2}, \d{2} [A-Z][a-z]{2} \d{4} \d{2}:\d{2}:\d{2} GMT$/

/** Of the EHR's answer headers these alone are passed on as they are; the ETag is what a later If-Match needs. */
export function passedHeaders({
  etag,
  lastModified,
}: Pick<AnswerHeaders, 'etag' | 'lastModified'>): Record<string, string> {
  const headers: Record<string, string> = {}
  if (etag !== undefined && etagPattern.test(etag)) headers['etag'] = etag
  if (lastModified !== undefined && datePattern.test(lastModified)) {
    headers['last-modified'] = lastModified
  }
  return headers
}
