import { isJsonObject } from '../../smart/json.ts'
import { binaryIdOf } from '../rewriter.ts'
import type { UpstreamUrls } from '../upstream-url.ts'

/**
 * A Binary says nothing about whom it is, and whoever reads a record of this patient gets handles to those that it has as
 * attachments (DESIGN, Fine print). So a write may name none but those that stand there already, or that a handle gave:
 * the id of another patient's document, written into this patient's record, would come back as a handle.
 */
export function bringsBinary(
  value: unknown,
  known: ReadonlySet<string>,
  urls: UpstreamUrls,
): boolean {
  return binaryUrls(value, urls).some((url) => !known.has(url))
}

/** As the rewrite step finds them (steps/rewrite.ts): texts named `url`, wherever they stand. */
export function binaryUrls(value: unknown, urls: UpstreamUrls): readonly string[] {
  if (Array.isArray(value)) return value.flatMap((item) => binaryUrls(item, urls))
  if (!isJsonObject(value)) return []
  return Object.entries(value).flatMap(([name, inner]) => {
    if (typeof inner !== 'string') return binaryUrls(inner, urls)
    return name === 'url' && binaryIdOf(inner, urls) !== undefined ? [inner] : []
  })
}
