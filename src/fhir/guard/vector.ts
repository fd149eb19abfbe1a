import { memberNames } from './members.ts'
import { code } from './vector-code.ts'

/** What vector/scan.ts exports. Places are places in its memory; a place that is 0 is none. */
interface Exports {
  readonly memory: { readonly buffer: ArrayBuffer }
  readonly base: Place
  readonly eventsStart: Place
  readonly listStart: Place
  readonly listEnd: Place
  setBase(length: number): number
  learn(from: number, length: number, member: number): number
  inputFor(length: number): number
  scan(from: number, length: number): number
  room(bytes: number): number
  splice(
    from: number,
    to: number,
    places: number,
    count: number,
    cut: number,
    text: number,
    textLength: number,
    target: number,
  ): number
}

interface Place {
  readonly value: number
}

/** The part of the WebAssembly JavaScript interface that is used; Node's types have none of it. */
declare const WebAssembly: {
  Module: new (bytes: Uint8Array) => object
  Instance: new (module: object) => { readonly exports: Exports }
}

/** The scan in WebAssembly, with the memory that it works in. */
export interface Vector extends Omit<Exports, 'memory' | 'learn' | 'inputFor'> {
  /** The memory as it is now: where it grows it becomes another object. */
  look(): Buffer
  /** The same in words of four bytes. */
  words(): Int32Array
  /** Copies an answer into the memory, unless it is there already. Its place, or 0: it is too large. */
  load(bytes: Buffer): number
}

export function createVector(): Vector {
  const { exports } = new WebAssembly.Instance(new WebAssembly.Module(Buffer.from(code, 'base64')))
  let memory = Buffer.from(exports.memory.buffer)
  let words = new Int32Array(exports.memory.buffer)
  let loaded: Buffer | undefined
  let origin = 0

  const look = (): Buffer => {
    if (memory.buffer !== exports.memory.buffer) memory = Buffer.from(exports.memory.buffer)
    return memory
  }
  const lookAtWords = (): Int32Array => {
    if (words.buffer !== exports.memory.buffer) words = new Int32Array(exports.memory.buffer)
    return words
  }
  const put = (bytes: Uint8Array): number => {
    const place = exports.inputFor(bytes.length)
    if (place !== 0) look().set(bytes, place)
    return place
  }
  for (const [name, member] of memberNames) {
    if (exports.learn(put(Buffer.from(name)), name.length, member) === 0) {
      throw new TypeError(`two members share a place: ${name}`)
    }
  }

  return {
    ...exports,
    look,
    words: lookAtWords,
    load: (bytes) => {
      if (loaded === bytes) return origin
      origin = put(bytes)
      loaded = origin === 0 ? undefined : bytes
      return origin
    },
  }
}
