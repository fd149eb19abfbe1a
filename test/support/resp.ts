/**
 * The Redis protocol, as far as it must be understood to tell one command and one answer from the next (RESP2: a
 * subscription's messages count as answers).
 */

/** Calls `found` with the words of each whole command and its bytes. */
export function cutRequests(
  found: (words: readonly string[], raw: Buffer) => void,
): (chunk: Buffer) => void {
  return cutting((held) => {
    const end = endOfItem(held, 0)
    return end === undefined ? undefined : { end, tell: (raw) => found(wordsOf(raw), raw) }
  })
}

/** Calls `found` with the bytes of each whole answer. */
export function cutReplies(found: (raw: Buffer) => void): (chunk: Buffer) => void {
  return cutting((held) => {
    const end = endOfItem(held, 0)
    return end === undefined ? undefined : { end, tell: found }
  })
}

interface Piece {
  readonly end: number
  readonly tell: (raw: Buffer) => void
}

function cutting(next: (held: Buffer) => Piece | undefined): (chunk: Buffer) => void {
  let held: Buffer = Buffer.alloc(0)
  return (chunk) => {
    held = Buffer.concat([held, chunk])
    for (let piece = next(held); piece !== undefined; piece = next(held)) {
      const raw = held.subarray(0, piece.end)
      held = held.subarray(piece.end)
      piece.tell(raw)
    }
  }
}

/** Where the item that begins at `start` ends; undefined while it is not whole. */
function endOfItem(held: Buffer, start: number): number | undefined {
  const lineEnd = held.indexOf('\r\n', start)
  if (lineEnd === -1) return undefined
  const line = held.toString('latin1', start, lineEnd)
  const after = lineEnd + 2
  const count = Number(line.slice(1))
  if (line.startsWith('$')) {
    const end = count < 0 ? after : after + count + 2
    return end <= held.length ? end : undefined
  }
  if (!line.startsWith('*')) return after
  let end: number | undefined = after
  for (let n = 0; n < count && end !== undefined; n += 1) end = endOfItem(held, end)
  return end
}

/** A command is an array of bulk strings; ours hold no line ends but in scripts, which are read by their length. */
function wordsOf(raw: Buffer): readonly string[] {
  const words: string[] = []
  let at = raw.indexOf('\r\n') + 2
  while (at < raw.length) {
    const lineEnd = raw.indexOf('\r\n', at)
    const length = Number(raw.toString('latin1', at + 1, lineEnd))
    words.push(raw.toString('utf8', lineEnd + 2, lineEnd + 2 + length))
    at = lineEnd + 2 + length + 2
  }
  return words
}
