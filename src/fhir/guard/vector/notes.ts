import * as codes from '../codes'
import { hasBinary } from './bytes'
import { newEvent } from './memory'
import * as resources from './resources'
import * as urls from './urls'

/**
 * What a scan notes by the way: where resources, their subjects and the URLs to be rewritten stand. Every answer of
 * false means: unsure, look at the parsed value (src/fhir/judge.ts).
 */
export const maxDepth: i32 = 100

/** For each depth: is it a list, under which member does it stand (a list hands that on), which members it has had. */
const arrays = memory.data(101)
const holders = memory.data(101)
const seen = memory.data(101 * 4, 16)

/** For each depth what is known of the object as a resource (resources.ts). */
const facts = memory.data(101 * 40, 16)
const factBytes: i32 = 40
// Of a fact: type from, to; id from, to; twice member, reference from, to.
const idFrom: usize = 8
const firstSubject: usize = 16
const secondSubject: usize = 28

/** Where the value of the outermost `link` begins. */
let linkStart: usize = 0
/** The outermost object has only such members as a Bundle has. */
export let bundleOnly: bool = true

/** What is made of a text: nothing, or a part of a resource's record, a URL that may be ours to change, an attachment's. */
export const plain: i32 = 0
export const part: i32 = 1
export const ofUrl: i32 = 2
export const binary: i32 = 4
/** What was made of the last one. */
export let noted: i32 = plain

export function clear(): void {
  resources.clear()
  urls.clear()
  linkStart = 0
  bundleOnly = true
}

/** A member of the outermost object. */
export function atRoot(member: i32): void {
  if (member === codes.bundleMember || member === codes.type || member === codes.link) return
  if (member === codes.entry || member === codes.resourceType || member === codes.id) return
  bundleOnly = false
}

export function isArray(depth: i32): bool {
  return load<u8>(arrays + depth) !== 0
}

export function holderAt(depth: i32): i32 {
  return load<u8>(holders + depth)
}

/** False: the object at this depth has had it. */
export function first(member: i32, depth: i32): bool {
  const had = load<i32>(seen + (depth << 2))
  const bit = 1 << member
  store<i32>(seen + (depth << 2), had | bit)
  return (had & bit) === 0
}

function has(member: i32, depth: i32): bool {
  return (load<i32>(seen + (depth << 2)) & (1 << member)) !== 0
}

export function open(array: bool, member: i32, depth: i32, at: usize): bool {
  if (depth === maxDepth || (depth === 0 && array)) return false
  if (member !== codes.none && depth > 0 && !mayHold(array, member, depth)) return false
  if (depth === 1 && member === codes.link) linkStart = at
  const inner = depth + 1
  store<u8>(arrays + inner, <u8>array)
  store<u8>(holders + inner, <u8>member)
  if (array) return true
  store<i32>(seen + (inner << 2), 0)
  // An object that opens has neither an id nor a subject yet.
  const fact = factOf(inner)
  store<i64>(fact, 0, idFrom)
  store<i32>(fact, 0, firstSubject)
  store<i32>(fact, 0, secondSubject)
  return true
}

function factOf(depth: i32): usize {
  return facts + <usize>(depth * factBytes)
}

function mayHold(array: bool, member: i32, depth: i32): bool {
  if (isTextOnly(member)) return false
  // Entries are a list, a resource is none, and a list of lists is nothing FHIR knows.
  if (!array) return member !== codes.entry || depth > 1
  return member !== codes.resource && !isArray(depth)
}

/** `to` is the place after the bracket. */
export function close(array: bool, depth: i32, to: usize): bool {
  if (!array && !closeObject(depth)) return false
  if (depth !== 2 || linkStart === 0) return true
  const from = linkStart
  linkStart = 0
  return note(codes.linkEvent, from, to)
}

/** An object ends: a resource is noted, and a place that must hold one is checked. */
function closeObject(depth: i32): bool {
  const under = holderAt(depth)
  if (!has(codes.resourceType, depth)) {
    if (under === codes.resource || under === codes.contained) return false
    if (depth === 3 && under === codes.entry) return has(codes.resource, depth)
    return depth > 1
  }
  if (depth > 1 && under !== codes.resource && under !== codes.contained) return false
  return resources.note(depth, under, factOf(depth))
}

/** A string as the value of a member that matters. */
export function text(member: i32, depth: i32, from: usize, to: usize, escaped: bool): bool {
  noted = plain
  // In a list: links and subjects may be texts, for all that matters here.
  if (isArray(depth)) return member >= codes.link
  switch (member) {
    case codes.resourceType:
      noted = part
      setPart(factOf(depth), from, to)
      return !escaped
    case codes.id:
      noted = part
      setPart(factOf(depth) + idFrom, from, to)
      return !escaped
    case codes.reference:
      noted = part | ofUrl
      return !escaped && noteReference(depth, from, to)
    case codes.fullUrl:
      if (depth !== 3 || holderAt(depth) !== codes.entry) return true
      noted = ofUrl
      return !escaped && urls.note(from, to)
    case codes.url:
      noted = binary
      // An attachment gets a sealed handle, for which its content type is needed too.
      return !escaped && !hasBinary(from, to)
    case codes.location:
      // Bundle.entry.response.location becomes ours, which the rewriting of bytes does not do.
      return false
    case codes.type:
      return depth > 1 || (!escaped && note(codes.typeEvent, from, to))
    default:
      return !needsObject(member, depth)
  }
}

/** A number or literal as the value of a member that matters. */
export function scalar(member: i32, depth: i32): bool {
  return !isTextOnly(member) && !needsObject(member, depth)
}

/** `"subject": { "reference": … }`: noted for the object that has the subject. */
function noteReference(depth: i32, from: usize, to: usize): bool {
  const under = holderAt(depth)
  if (under >= codes.subject && !isArray(depth - 1)) {
    const fact = factOf(depth - 1)
    const slot = fact + (load<i32>(fact, firstSubject) === 0 ? firstSubject : secondSubject)
    if (load<i32>(slot) !== 0) return false
    store<i32>(slot, under)
    setPart(slot + 4, from, to)
  }
  return urls.note(from, to)
}

function note(kind: i32, from: usize, to: usize): bool {
  const event = newEvent(kind)
  if (event === 0) return false
  store<i32>(event, <i32>from, 4)
  store<i32>(event, <i32>to, 8)
  return true
}

function setPart(place: usize, from: usize, to: usize): void {
  store<i32>(place, <i32>from)
  store<i32>(place, <i32>to, 4)
}

/** An object, list, number or literal here is nothing that the full judge would pass on as it is. */
function isTextOnly(member: i32): bool {
  return member === codes.resourceType || member === codes.id || member === codes.fullUrl
}

/** A string, number or literal here is nothing that the full judge would pass. */
function needsObject(member: i32, depth: i32): bool {
  if (member === codes.link) return depth === 1
  return member >= codes.contained && member <= codes.entry
}
