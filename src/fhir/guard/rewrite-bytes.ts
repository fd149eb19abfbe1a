import { printLinks, rewriteLinks } from '../rewrite-links.ts'
import type { LinkCount } from '../rewrite-links.ts'
import type { Rewriter, Rewritten } from '../rewriter.ts'
import type { Proved } from './prove.ts'
import type { Allocate, Edit } from './splice.ts'

/** The rewrite step on bytes: the places that the scan noted are replaced, everything else is copied as it came. */
export function rewriteBytes(
  { bytes, urls, baseBytes, link, count, splice }: Proved,
  rewriter: Rewriter,
  allocate: Allocate = (size) => Buffer.allocUnsafeSlow(size),
): Rewritten {
  const links: LinkCount = { dropped: 0, nextLost: false }
  let other: Edit | undefined
  if (link !== undefined) {
    const list: unknown = JSON.parse(bytes.toString('utf8', link.start, link.end))
    const text = printLinks(rewriteLinks(list, rewriter, links))
    other = { start: link.start, end: link.end, text }
  }
  const edits = { places: urls, cut: baseBytes, text: rewriter.base, other }
  const touched = urls.length > 0 || other !== undefined
  const body = touched ? splice(bytes, edits, allocate) : bytes
  const { dropped: linksDropped, nextLost } = links
  return { body, count, dropped: 0, patients: [], linksDropped, nextLost }
}
