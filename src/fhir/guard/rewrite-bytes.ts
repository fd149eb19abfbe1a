import { rewriteLinks } from '../rewrite-links.ts'
import type { LinkCount } from '../rewrite-links.ts'
import type { Rewriter, Rewritten } from '../rewriter.ts'
import { events } from './notes.ts'
import type { Proved } from './prove.ts'

/** The rewrite step on bytes: the places that the scan noted are replaced, everything else is copied as it came. */
export function rewriteBytes(
  { bytes, spots, count }: Proved,
  rewriter: Rewriter,
  allocate: Allocate = (size) => Buffer.allocUnsafeSlow(size),
): Rewritten {
  const links: LinkCount = { dropped: 0, nextLost: false }
  const base = Buffer.from(rewriter.base)
  const edits: Edit[] = []
  for (let at = 0; at < spots.length; at += 3) {
    const start = spots[at + 1]!
    const end = spots[at + 2]!
    if (spots[at] === events.rootLink) {
      const list: unknown = JSON.parse(bytes.toString('utf8', start, end))
      const text = Buffer.from(JSON.stringify(rewriteLinks(list, rewriter, links)))
      edits.push({ start, end, text })
    } else {
      const baseEnd = rewriter.recordAt(bytes, start, end)
      if (baseEnd !== undefined) edits.push({ start, end: baseEnd, text: base })
    }
  }
  const body = edits.length === 0 ? bytes : applyEdits(bytes, edits, allocate)
  const { dropped: linksDropped, nextLost } = links
  return { body, count, dropped: 0, patients: [], linksDropped, nextLost }
}

/** Memory of that many bytes, all of which are written. */
export type Allocate = (bytes: number) => Buffer

interface Edit {
  readonly start: number
  readonly end: number
  readonly text: Buffer
}

/** Each edit puts its text in place of the bytes from start to end. */
function applyEdits(bytes: Buffer, edits: Edit[], allocate: Allocate): Buffer {
  edits.sort((left, right) => left.start - right.start)
  let size = bytes.length
  for (const { start, end, text } of edits) size += text.length - (end - start)
  const body = allocate(size)
  let from = 0
  let to = 0
  for (const { start, end, text } of edits) {
    // Inside a place that was replaced as a whole.
    if (start < from) continue
    to += bytes.copy(body, to, from, start)
    to += text.copy(body, to)
    from = end
  }
  to += bytes.copy(body, to, from)
  return to === size ? body : body.subarray(0, to)
}
