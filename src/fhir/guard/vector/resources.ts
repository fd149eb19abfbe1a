import { resourceEvent } from '../codes'
import { isId, isSame } from './bytes'
import { newEvent } from './memory'

/**
 * What is told of a resource: its depth and holder, then where its type, its id and its subjects stand. One that is like
 * the last is not told again but counted: of the same type in the same place and about the same subject, in the same
 * words, with an id of its own.
 */

/** Of a record: depth, holder; type from, to; id from, to; twice subject member, reference from, to. */
const typeFrom: usize = 8
const idFrom: usize = 16
const firstSubject: usize = 24
const secondSubject: usize = 36
/** In the event, behind the record: how many are like it. */
const more: usize = 52

/** The last one's record, and one that is being made from it. */
const last = memory.data(48, 16)
const next = memory.data(48, 16)
/** The event that the last one is told in; 0: there was none. */
let told: usize = 0
/** How many there have been. */
export let count: i32 = 0

export function clear(): void {
  told = 0
}

/** `fact`: the record but for its depth and holder. */
export function note(depth: i32, holder: i32, fact: usize): bool {
  store<i32>(next, depth)
  store<i32>(next, holder, 4)
  v128.store(next, v128.load(fact), typeFrom)
  v128.store(next, v128.load(fact, 16), firstSubject)
  store<i64>(next, load<i64>(fact, 32), 40)
  count += 1
  return tell()
}

/** Where in the last one's record stands what begins here; 0: nowhere. */
export function partAt(from: u32): usize {
  if (load<u32>(last, typeFrom) === from) return typeFrom
  if (load<u32>(last, idFrom) === from) return idFrom
  if (load<u32>(last, firstSubject + 4) === from) return firstSubject + 4
  return load<u32>(last, secondSubject + 4) === from ? secondSubject + 4 : 0
}

/** The last one's record, for one of its shape. */
export function copyLast(record: usize): void {
  copy(last, record)
}

/** One more in the place of that one, with the same members: from here on its parts are set, then it is told. */
export function repeat(record: usize): void {
  copy(record, next)
}

function copy(from: usize, to: usize): void {
  v128.store(to, v128.load(from))
  v128.store(to, v128.load(from, 16), 16)
  v128.store(to, v128.load(from, 32), 32)
}

export function setPart(part: usize, from: usize, to: usize): void {
  store<i32>(next + part, <i32>from)
  store<i32>(next + part, <i32>to, 4)
}

export function tell(): bool {
  if (told !== 0 && isAlike()) store<i32>(told, load<i32>(told, more) + 1, more)
  else {
    told = newEvent(resourceEvent)
    if (told === 0) return false
    copy(next, told + 4)
    store<i32>(told, 0, more)
  }
  copy(next, last)
  return true
}

function isAlike(): bool {
  return (
    load<i64>(next) === load<i64>(last) &&
    isSamePart(typeFrom) &&
    isId(load<u32>(next, idFrom), load<u32>(next, idFrom + 4)) &&
    isSameSubject(firstSubject) &&
    isSameSubject(secondSubject)
  )
}

function isSameSubject(subject: usize): bool {
  const member = load<i32>(next + subject)
  if (member !== load<i32>(last + subject)) return false
  return member === 0 || isSamePart(subject + 4)
}

/** Two places that each say where something stands. */
function isSamePart(part: usize): bool {
  const from = load<i32>(next + part)
  const other = load<i32>(last + part)
  const length = load<i32>(next + part, 4) - from
  return length === load<i32>(last + part, 4) - other && isSame(from, other, length)
}
