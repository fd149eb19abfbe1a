import { firstSubject, members, sameBytes } from './members.ts'

/** What a scan notes by the way: where resources, their subjects and the URLs to be rewritten stand. */
/** Valid until the next scan: the memory is used again, which is safe because a scan and its judge never wait. */
export interface Scan {
  /** Numbers, `eventSize` for each event. */
  readonly events: Int32Array
  readonly length: number
  /** The outermost object has only such members as a Bundle has. */
  readonly bundleOnly: boolean
}

/** First number of an event; the others follow in the order told here. */
export const events = {
  /** depth, holder, type start, end, id start, end (0, 0 without), and twice: subject member, start, end of reference. */
  resource: 1,
  /** start, end of the string between its quotes. */
  fullUrl: 2,
  absoluteReference: 3,
  /** start, end of the value of the outermost object's `link`, brackets included. */
  rootLink: 5,
  /** start, end of the outermost object's `type`. */
  rootType: 6,
} as const

export const eventSize = 13
const maxDepth = 100
const maxEvents = 200_000

/** Every answer of false means: unsure, look at the parsed value. */
export interface Notes {
  /** For each depth: is it a list, under which member does it stand (a list hands that on), which members it has had. */
  readonly isArray: Uint8Array
  readonly holder: Uint8Array
  readonly seen: Int32Array
  bundleOnly: boolean
  clear(): void
  scan(): Scan
  open(array: boolean, member: number, depth: number, at: number): boolean
  close(array: boolean, depth: number, end: number): boolean
  /** A string as the value of a member that matters. */
  text(
    bytes: Uint8Array,
    member: number,
    depth: number,
    start: number,
    end: number,
    escaped: boolean,
  ): boolean
  /** A number or literal as the value of any member. */
  scalar(member: number, depth: number): boolean
}

export function createNotes(): Notes {
  return new ScanNotes()
}

/** A class, because its small parts share much state; nothing outside sees it. */
class ScanNotes implements Notes {
  readonly isArray = new Uint8Array(maxDepth + 1)
  readonly holder = new Uint8Array(maxDepth + 1)
  readonly seen = new Int32Array(maxDepth + 1)
  bundleOnly = true
  /** For each depth what a resource event tells of the object. */
  readonly #facts = new Int32Array((maxDepth + 1) * eventSize)
  #out = new Int32Array(eventSize * 512)
  #length = 0
  /** Where the value of the outermost `link` begins. */
  #linkStart = 0

  clear(): void {
    this.#length = 0
    this.#linkStart = 0
    this.bundleOnly = true
  }

  scan(): Scan {
    return { events: this.#out, length: this.#length, bundleOnly: this.bundleOnly }
  }

  open(array: boolean, member: number, depth: number, at: number): boolean {
    if (depth === maxDepth || (depth === 0 && array)) return false
    if (member !== members.none && depth > 0 && !this.#mayHold(array, member, depth)) return false
    if (depth === 1 && member === members.link) this.#linkStart = at
    const inner = depth + 1
    this.isArray[inner] = array ? 1 : 0
    this.holder[inner] = member
    if (array) return true
    this.seen[inner] = 0
    const base = inner * eventSize
    // The id and both subjects: an object that opens has none yet.
    this.#facts[base + 5] = 0
    this.#facts[base + 6] = 0
    this.#facts[base + 7] = 0
    this.#facts[base + 10] = 0
    return true
  }

  #mayHold(array: boolean, member: number, depth: number): boolean {
    if (isTextOnly(member)) return false
    // Entries are a list, a resource is none, and a list of lists is nothing FHIR knows.
    if (!array) return member !== members.entry || depth > 1
    return member !== members.resource && this.isArray[depth] === 0
  }

  close(array: boolean, depth: number, end: number): boolean {
    if (!array && !this.#closeObject(depth)) return false
    if (depth !== 2 || this.#linkStart === 0) return true
    const start = this.#linkStart
    this.#linkStart = 0
    return this.#emit(events.rootLink, start, end)
  }

  /** An object ends: a resource is noted, and a place that must hold one is checked. */
  #closeObject(depth: number): boolean {
    const had = this.seen[depth]!
    const under = this.holder[depth]!
    if ((had & (1 << members.resourceType)) === 0) {
      if (under === members.resource || under === members.contained) return false
      if (depth === 3 && under === members.entry) return (had & (1 << members.resource)) !== 0
      return depth > 1
    }
    if (depth > 1 && under !== members.resource && under !== members.contained) return false
    if (!this.#hasRoom()) return false
    const base = depth * eventSize
    this.#facts[base] = events.resource
    this.#facts[base + 1] = depth
    this.#facts[base + 2] = under
    for (let index = 0; index < eventSize; index += 1) {
      this.#out[this.#length + index] = this.#facts[base + index]!
    }
    this.#length += eventSize
    return true
  }

  text(
    bytes: Uint8Array,
    member: number,
    depth: number,
    start: number,
    end: number,
    escaped: boolean,
  ): boolean {
    // In a list: links and subjects may be texts, for all that matters here.
    if (this.isArray[depth] === 1) return member >= members.link
    const base = depth * eventSize
    switch (member) {
      case members.resourceType:
        this.#facts[base + 3] = start
        this.#facts[base + 4] = end
        return !escaped
      case members.id:
        this.#facts[base + 5] = start
        this.#facts[base + 6] = end
        return !escaped
      case members.reference:
        return !escaped && this.#noteReference(bytes, depth, start, end)
      case members.fullUrl:
        if (depth !== 3 || this.holder[depth] !== members.entry) return true
        return !escaped && this.#emit(events.fullUrl, start, end)
      case members.url:
        // An attachment gets a sealed handle, for which its content type is needed too.
        return !escaped && !hasBinary(bytes, start, end)
      case members.location:
        // Bundle.entry.response.location becomes ours, which the rewriting of bytes does not do.
        return false
      case members.type:
        return depth > 1 || (!escaped && this.#emit(events.rootType, start, end))
      default:
        return !needsObject(member, depth)
    }
  }

  scalar(member: number, depth: number): boolean {
    if (isTextOnly(member)) return false
    return !needsObject(member, depth)
  }

  /** `"subject": { "reference": … }`: noted for the object that has the subject. */
  #noteReference(bytes: Uint8Array, depth: number, start: number, end: number): boolean {
    const under = this.holder[depth]!
    if (under >= firstSubject && this.isArray[depth - 1] === 0) {
      const base = (depth - 1) * eventSize
      const slot = this.#facts[base + 7] === 0 ? base + 7 : base + 10
      if (this.#facts[slot] !== 0) return false
      this.#facts[slot] = under
      this.#facts[slot + 1] = start
      this.#facts[slot + 2] = end
    }
    return bytes[start] === 0x68 ? this.#emit(events.absoluteReference, start, end) : true
  }

  #emit(code: number, first: number, second: number): boolean {
    if (!this.#hasRoom()) return false
    this.#out[this.#length] = code
    this.#out[this.#length + 1] = first
    this.#out[this.#length + 2] = second
    this.#length += eventSize
    return true
  }

  #hasRoom(): boolean {
    if (this.#length < this.#out.length) return true
    if (this.#length >= maxEvents * eventSize) return false
    const larger = new Int32Array(this.#out.length * 4)
    larger.set(this.#out)
    this.#out = larger
    return true
  }
}

/** An object, list, number or literal here is nothing that the full judge would pass on as it is. */
function isTextOnly(member: number): boolean {
  return member === members.resourceType || member === members.id || member === members.fullUrl
}

/** A string, number or literal here is nothing that the full judge would pass. */
function needsObject(member: number, depth: number): boolean {
  if (member === members.link) return depth === 1
  return member >= members.contained && member <= members.entry
}

const binary = Buffer.from('Binary/')

/** `Binary/` with something behind it, wherever it stands. */
function hasBinary(bytes: Uint8Array, start: number, end: number): boolean {
  for (let at = start; at + binary.length < end; at += 1) {
    if (bytes[at] === 0x42 && sameBytes(binary, bytes, at)) return true
  }
  return false
}
