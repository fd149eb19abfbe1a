import type { Vector } from './vector.ts'

/** Puts texts in place of others in an answer: in the vector's memory, where it still stands since its scan. */
export type Splice = (bytes: Buffer, edits: Edits, allocate: Allocate) => Buffer

/** The same text at many places, in their order, each time instead of `cut` bytes; and another one at one more place. */
export interface Edits {
  readonly places: Int32Array
  readonly cut: number
  readonly text: string
  /** None of the places is in it. */
  readonly other: Edit | undefined
}

export interface Edit {
  readonly start: number
  readonly end: number
  readonly text: string
}

/** Memory of that many bytes, all of which are written. */
export type Allocate = (bytes: number) => Buffer

export function createSplice(vector: Vector): Splice {
  return (bytes, edits, allocate) => {
    const { places, cut, text } = edits
    const other = edits.other ?? { start: bytes.length, end: bytes.length, text: nothing }
    const textBytes = Buffer.byteLength(text)
    const otherBytes = Buffer.byteLength(other.text)
    const size =
      bytes.length + places.length * (textBytes - cut) + (otherBytes - (other.end - other.start))
    const origin = vector.load(bytes)
    const room = origin === 0 ? 0 : vector.room(places.length * 4 + textBytes + size)
    if (room === 0) return spliceHere(bytes, { ...edits, other }, allocate(size))

    const memory = vector.look()
    vector.words().set(places, room >> 2)
    const textAt = room + places.length * 4
    memory.write(text, textAt)
    const target = textAt + textBytes
    /** From start to end of the answer, with the places from first to last. */
    const part = (start: number, end: number, first: number, last: number, to: number): number =>
      vector.splice(
        origin + start,
        origin + end,
        room + first * 4,
        last - first,
        cut,
        textAt,
        textBytes,
        to,
      )
    const before = firstFrom(places, other.start)
    const middle = part(0, other.start, 0, before, target)
    memory.write(other.text, middle)
    part(other.end, bytes.length, before, places.length, middle + otherBytes)
    const body = allocate(size)
    memory.copy(body, 0, target, target + size)
    return body
  }
}

const nothing = ''

/** The index of the first that is not before `start`. */
export function firstFrom(places: Int32Array, start: number): number {
  let low = 0
  let high = places.length
  while (low < high) {
    const middle = (low + high) >> 1
    if (places[middle]! < start) low = middle + 1
    else high = middle
  }
  return low
}

/** The same where the vector's memory has no room. */
function spliceHere(
  bytes: Buffer,
  { places, cut, text, other }: Edits & { readonly other: Edit },
  body: Buffer,
): Buffer {
  const before = firstFrom(places, other.start)
  const edits = Array.from(places, (start) => ({ start, end: start + cut, text }))
  let from = 0
  let to = 0
  for (const edit of [...edits.slice(0, before), other, ...edits.slice(before)]) {
    to += bytes.copy(body, to, from, edit.start)
    to += body.write(edit.text, to)
    from = edit.end
  }
  bytes.copy(body, to, from)
  return body
}
