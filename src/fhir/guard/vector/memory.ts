import { eventWords } from '../codes'

/**
 * Where things stand: the names and what is known of each depth at the bottom, then the EHR's base, then the answer with
 * zeros behind it, then the events; when the answer is written anew, the edits and the new text follow.
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

/** Makes room for an answer; its place, or 0: there is none. */
export function inputFor(length: i32): usize {
  const end = __heap_base + <usize>length
  eventsStart = (end + margin + 15) & ~15
  eventsEnd = eventsStart
  if (!reserve(eventsStart)) return 0
  memory.fill(end, 0, margin)
  return __heap_base
}

export let eventsStart: usize = 0
export let eventsEnd: usize = 0
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

/** The same answer may be looked at again. */
export function clearEvents(): void {
  eventsEnd = eventsStart
}

/** Those from here on. */
export function dropEvents(from: usize): void {
  eventsEnd = from
}

export function eventCount(): i32 {
  return <i32>(eventsEnd - eventsStart) / (eventWords * 4)
}

/** Room behind the events, or 0. */
export function room(bytes: i32): usize {
  const from = (eventsEnd + 15) & ~15
  return reserve(from + <usize>bytes) ? from : 0
}

/** Not beyond the maximum that the memory was made with. */
function reserve(end: usize): bool {
  const pages = <i32>((end + 0xffff) >> 16)
  const more = pages - memory.size()
  return more <= 0 || memory.grow(more) !== -1
}
