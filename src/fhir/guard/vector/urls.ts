import { urlEvent } from '../codes'
import { isId, isSame } from './bytes'
import { base, baseLength, listEnd, listStart, newEvent, toList } from './memory'

/**
 * URLs under the EHR's base, which the rewrite step may change: each stands in the list, and one that is unlike the last
 * is told too. Alike are `Type/id` of the same type, under the base.
 */

/** The last one that was told, behind the base, and how long its type is with the slash; 0: nothing is like it. */
let last: usize = 0
let typeLength: i32 = 0

export function clear(): void {
  typeLength = 0
}

export function note(from: usize, to: usize): bool {
  const rest = from + baseLength
  if (rest > to || !isSame(base, from, baseLength)) return true
  return (isAlike(rest, to) || tell(from, to)) && toList(from)
}

function isAlike(rest: usize, to: usize): bool {
  if (typeLength === 0 || !isSame(rest, last, typeLength)) return false
  return isId(rest + typeLength, to)
}

function tell(from: usize, to: usize): bool {
  const event = newEvent(urlEvent)
  if (event === 0) return false
  store<i32>(event, <i32>from, 4)
  store<i32>(event, <i32>to, 8)
  store<i32>(event, (<i32>(listEnd - listStart)) >> 2, 12)
  last = from + baseLength
  let slash = last
  while (slash < to && load<u8>(slash) !== 0x2f) slash += 1
  typeLength = isId(slash + 1, to) ? <i32>(slash + 1 - last) : 0
  return true
}

let markedLast: usize = 0
let markedLength: i32 = 0

export function mark(): void {
  markedLast = last
  markedLength = typeLength
}

export function forget(): void {
  last = markedLast
  typeLength = markedLength
}
