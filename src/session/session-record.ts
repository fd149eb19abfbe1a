import { hash } from 'node:crypto'
import type { LaunchUser } from '../vault/record.ts'

/** The @fastify/session blob: who uses this browser at each tenant, and when. Small, and without a token. */
export interface SessionRecord {
  /** Version of this shape, so that two releases can run side by side on one store. */
  readonly schema: 1
  /** Milliseconds since the epoch, all three. */
  readonly createdAt: number
  readonly idleAt: number
  /** Counted from the last completed launch: with it the EHR has said anew who sits there. */
  readonly absoluteAt: number
  /** At most one for each tenant. `user` is `userKey`'s answer, or '' for an unknown user. */
  readonly users: readonly { readonly tenant: string; readonly user: string }[]
}

/**
 * DESIGN rule 14: a user is (tenant, id_token iss and sub), else (tenant, fhirUser). An unknown user is '', and equals
 * nobody, not even another unknown one.
 */
export function userKey(tenant: string, user: LaunchUser): string {
  if (user.issuer !== undefined && user.subject !== undefined) {
    return hashOf(['subject', tenant, user.issuer, user.subject])
  }
  return user.fhirUser === undefined ? '' : hashOf(['fhirUser', tenant, user.fhirUser])
}

/** Whether somebody else, or somebody unknown, has used this browser at the tenant. */
export function isOtherUser(record: SessionRecord, tenant: string, user: string): boolean {
  const known = record.users.find((one) => one.tenant === tenant)
  return known !== undefined && (known.user === '' || known.user !== user)
}

export function withUser(record: SessionRecord, tenant: string, user: string): SessionRecord {
  const others = record.users.filter((one) => one.tenant !== tenant)
  return { ...record, users: [...others, { tenant, user }] }
}

export function isAlive(record: SessionRecord, now: number): boolean {
  return now < record.idleAt && now < record.absoluteAt
}

/** Undefined for garbage: a record that cannot be understood is a missing record (DESIGN rule 12). */
export function parseSessionRecord(text: string): SessionRecord | undefined {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    return undefined
  }
  return isSessionRecord(value) ? value : undefined
}

function isSessionRecord(value: unknown): value is SessionRecord {
  if (typeof value !== 'object' || value === null) return false
  const record: Partial<Record<keyof SessionRecord, unknown>> = value
  return (
    record.schema === 1 &&
    [record.createdAt, record.idleAt, record.absoluteAt].every(Number.isSafeInteger) &&
    Array.isArray(record.users) &&
    record.users.every(isUser)
  )
}

function isUser(value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return false
  const { tenant, user }: { tenant?: unknown; user?: unknown } = value
  return typeof tenant === 'string' && typeof user === 'string'
}

/** JSON keeps the parts apart: no two users can be written as one. */
function hashOf(parts: readonly string[]): string {
  return hash('sha256', JSON.stringify(parts), 'base64url')
}
