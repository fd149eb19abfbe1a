import { createHmac, createHash } from 'node:crypto'
import type { Secret } from '../config/secret.ts'
import { createGenerations } from './generations.ts'

/**
 * Keyed pseudonyms (DESIGN rule 9): `p1.<22 characters>`, the key's id and the first 128 bits of an HMAC-SHA-256 in
 * base64url. Who knows a patient's id can find that patient's records; who only has the log cannot enumerate ids, as
 * one could with a bare hash of a short record number.
 */
export interface Pseudonyms {
  /** Under the first key. */
  patient(tenant: string, id: string): string
  /** A user who is a patient himself stands under the same pseudonym as in `patient`. */
  user(tenant: string, user: PseudonymousUser): string
  resource(tenant: string, type: string, id: string): string
  client(address: string): string
  /** Of `patient` under every key, for a search across a rotation. */
  everyPatient(tenant: string, id: string): readonly string[]
  everyUser(tenant: string, user: PseudonymousUser): readonly string[]
  /** First 16 hex digits of the SHA-256 of a launch id: the id itself is half of an address and stays out of the log. */
  launch(id: string): string
}

export interface PseudonymousUser {
  readonly issuer: string | undefined
  readonly subject: string | undefined
  readonly fhirUser: string | undefined
}

export interface PseudonymKey {
  readonly id: string
  readonly secret: Secret
}

const hmacBytes = 16
const cacheEntries = 8192

export function createPseudonyms(keys: readonly PseudonymKey[]): Pseudonyms {
  const ring = keys.map((key) => ({
    prefix: `${key.id}.`,
    bytes: Buffer.from(key.secret.reveal(), 'base64url'),
  }))
  const first = ring[0]
  if (first === undefined) throw new TypeError('a pseudonym key is needed')
  const pseudonym = remember(cacheEntries, (text) => under(first, text))
  const launch = remember(cacheEntries, launchHash)
  return {
    patient: (tenant, id) => pseudonym(message(tenant, id)),
    user: (tenant, user) => pseudonym(message(...userParts(tenant, user))),
    resource: (tenant, type, id) => pseudonym(message(tenant, 'resource', type, id)),
    client: (address) => pseudonym(message('', 'client', address)),
    everyPatient: (tenant, id) => ring.map((key) => under(key, message(tenant, id))),
    everyUser: (tenant, user) => ring.map((key) => under(key, message(...userParts(tenant, user)))),
    launch,
  }
}

function under(key: { prefix: string; bytes: Buffer }, text: string): string {
  const hmac = createHmac('sha256', key.bytes).update(text).digest()
  return key.prefix + hmac.toString('base64url', 0, hmacBytes)
}

/** Also used by a search, which is given the id by a person. */
export function launchHash(id: string): string {
  return createHash('sha256').update(id).digest('hex').slice(0, 16)
}

/**
 * Each part with its length in front, so that no two lists of parts give one message. A lone surrogate would become
 * U+FFFD on its way to bytes, so a string that holds one goes in escaped, marked by the `!`.
 */
function message(...parts: readonly string[]): string {
  let text = ''
  for (const part of parts) {
    const whole = part.isWellFormed() ? part : `!${JSON.stringify(part)}`
    const mark = whole === part ? '' : '!'
    text += `${mark}${String(whole.length)}:${whole}`
  }
  return text
}

function userParts(tenant: string, user: PseudonymousUser): readonly string[] {
  const patient = /^Patient\/(?<id>[A-Za-z0-9.-]{1,64})$/.exec(user.fhirUser ?? '')?.groups?.['id']
  if (patient !== undefined) return [tenant, patient]
  if (user.fhirUser !== undefined) return [tenant, 'fhirUser', user.fhirUser]
  return [tenant, 'subject', user.issuer ?? '', user.subject ?? '']
}

function remember(entries: number, make: (key: string) => string): (key: string) => string {
  const memory = createGenerations<string>(entries)
  return (key) => {
    const known = memory.get(key)
    if (known !== undefined) return known
    const made = make(key)
    memory.set(key, made)
    return made
  }
}
