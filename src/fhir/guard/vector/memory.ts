import { eventWords } from '../codes'

/**
 * Where things stand: the names and what is known of each depth at the bottom, then the EHR's base, then the answer with
 * zeros behind it, then the list of URLs, then the events; when the answer is written anew, the edits and the new text follow.
 */
const baseMax = 2048

/** The EHR's base with a slash behind it; written by the caller. */
export const base = memory.data(2048)
export let baseLength: i32 = 0

export function setBase(length: i32): bool {
  if (length >= baseMax) return false
  baseLength = length
  return true
}

/** What stands behind the answer, so that sixteen bytes can be read from any place in it. */
const margin: usize = 64

/** Makes room for an answer; its place, the same for each, or 0: there is none. */
export function inputFor(length: i32): usize {
  const end = __heap_base + <usize>length
  if (!reserve(end + margin)) return 0
  memory.fill(end, 0, margin)
  eventsEnd = aligned(end + margin)
  return __heap_base
}

/** Before a scan: there is room for as many URLs as fit into an answer, each with its quotes. The answer may be one that was looked at before. */
export function clear(length: i32): bool {
  listStart = aligned(__heap_base + <usize>length + margin)
  listEnd = listStart
  eventsStart = aligned(listStart + ((<usize>length / (baseLength + 2) + 1) << 2))
  eventsEnd = eventsStart
  return reserve(eventsStart)
}

function aligned(place: usize): usize {
  return (place + 15) & ~15
}

/** Where in the answer the URLs begin that are under the base. */
export let listStart: usize = 0
export let listEnd: usize = 0

export function toList(place: usize): bool {
  if (listEnd === eventsStart) return false
  store<u32>(listEnd, <u32>(place - __heap_base))
  listEnd += 4
  return true
}

export let eventsStart: usize = 0
let eventsEnd: usize = 0
/** Memory is taken so much at a time. */
const step: usize = 262_144

/** Room for one event more, or 0. */
export function newEvent(kind: i32): usize {
  const event = eventsEnd
  eventsEnd += eventWords * 4
  if (eventsEnd > (<usize>memory.size()) << 16 && !reserve(eventsEnd + step)) return 0
  store<i32>(event, kind)
  return event
}

let markedList: usize = 0
let markedEvents: usize = 0

/** What is noted from here on may be forgotten again. */
export function mark(): void {
  markedList = listEnd
  markedEvents = eventsEnd
}

export function forget(): void {
  listEnd = markedList
  eventsEnd = markedEvents
}

export function eventCount(): i32 {
  return <i32>(eventsEnd - eventsStart) / (eventWords * 4)
}

/** Room behind the events, or 0. */
export function room(bytes: i32): usize {
  const from = aligned(eventsEnd)
  return reserve(from + <usize>bytes) ? from : 0
}

/** Not beyond the maximum that the memory was made with. */
function reserve(end: usize): bool {
  const pages = <i32>((end + 0xffff) >> 16)
  const more = pages - memory.size()
  return more <= 0 || memory.grow(more) !== -1
}
