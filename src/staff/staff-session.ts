import { randomBytes } from 'node:crypto'
import { z } from 'zod'
import type { Store } from '../store/store.ts'
import type { KeyRing } from '../vault/key-ring.ts'
import type { Role } from './permissions.ts'
import { isZone } from './time-zone.ts'

/**
 * The staff's cookies. The session is sealed into its cookie, so any replica can read it and none has to keep it; it is
 * short. It is Strict: no other site can send it along. The one for signing in is Lax, because a Strict cookie does not
 * travel on the way back from the identity provider (DESIGN.md, Cookies).
 */
export interface StaffMember {
  /** The login name, of the form of an identifier: it stands in the audit. */
  readonly name: string
  /** Of this sign-in. */
  readonly id: string
  readonly roles: readonly Role[]
  /** Milliseconds since the epoch. */
  readonly signedInAt: number
  readonly seenAt: number
  /** In which the member reads times; the server's own without it. */
  readonly zone?: string | undefined
}

const staffCookie = '__Host-smart-bff-staff'
const signInCookie = '__Host-smart-bff-staff-sign-in'
const attributes = 'Path=/; Secure; HttpOnly; SameSite='
export const idleMs = 30 * 60_000
export const absoluteMs = 8 * 3_600_000
const signInMs = 10 * 60_000

const memberForm = z.strictObject({
  name: z.string().regex(/^[A-Za-z0-9][A-Za-z0-9._@+|-]{0,127}$/),
  id: z.string().regex(/^[A-Za-z0-9_-]{22}$/),
  roles: z.array(z.enum(['auditor', 'operator'])).min(1),
  signedInAt: z.int(),
  seenAt: z.int(),
  zone: z.string().refine(isZone).optional(),
})

const signInForm = z.strictObject({
  state: z.string(),
  nonce: z.string(),
  verifier: z.string(),
  begunAt: z.int(),
})
export type PendingSignIn = z.output<typeof signInForm>

export type ReadSession =
  | { readonly kind: 'member'; readonly member: StaffMember }
  /** Its time is over, or the member signed out. */
  | { readonly kind: 'over'; readonly name: string }
  | { readonly kind: 'missing' }

export interface StaffSessions {
  read(cookieHeader: string | undefined): Promise<ReadSession>
  /** From now on the cookie opens nothing any more, wherever it was copied to. */
  end(member: StaffMember): Promise<void>
  /** A Set-Cookie value. */
  write(member: StaffMember): string
  readSignIn(cookieHeader: string | undefined): PendingSignIn | undefined
  writeSignIn(pending: PendingSignIn): string
}

export const clearStaffCookie = `${staffCookie}=; ${attributes}Strict; Max-Age=0`
export const clearSignInCookie = `${signInCookie}=; ${attributes}Lax; Max-Age=0`

export const newStaffSession = (): string => randomBytes(16).toString('base64url')

export function createStaffSessions(deps: {
  readonly keyRing: KeyRing
  readonly store: Pick<Store, 'readDraft' | 'replaceDraft'>
  readonly now: () => number
}): StaffSessions {
  const { keyRing, store, now } = deps
  function open(header: string | undefined, name: string): unknown {
    const box = cookieOf(header, name)
    if (box === undefined) return undefined
    const opened = keyRing.open('staff', name, box)
    return opened.ok ? JSON.parse(opened.text) : undefined
  }
  /** While the store is away the audit must still be readable: then the cookie's own short life has to do. */
  async function hasEnded({ id }: StaffMember): Promise<boolean> {
    try {
      return (await store.readDraft(endedName(id))) !== undefined
    } catch {
      return false
    }
  }
  return {
    async read(header) {
      const read = memberForm.safeParse(open(header, staffCookie))
      if (!read.success) return { kind: 'missing' }
      const { data: member } = read
      const over = now() - member.seenAt > idleMs || now() - member.signedInAt > absoluteMs
      return over || (await hasEnded(member))
        ? { kind: 'over', name: member.name }
        : { kind: 'member', member }
    },
    async end({ id }) {
      await store.replaceDraft(endedName(id), undefined, 'ended', absoluteMs)
    },
    write: (member) =>
      `${staffCookie}=${keyRing.seal('staff', staffCookie, JSON.stringify(member))}; ${attributes}Strict`,
    readSignIn(header) {
      const pending = signInForm.safeParse(open(header, signInCookie))
      const fresh = pending.success && now() - pending.data.begunAt <= signInMs
      return fresh ? pending.data : undefined
    },
    writeSignIn: (pending) =>
      `${signInCookie}=${keyRing.seal('staff', signInCookie, JSON.stringify(pending))}; ${attributes}Lax; Max-Age=${String(signInMs / 1000)}`,
  }
}

const endedName = (id: string): string => `staff-ended:${id}`

function cookieOf(header: string | undefined, name: string): string | undefined {
  if (header === undefined || header.length > 16_384) return undefined
  const prefix = `${name}=`
  const pair = header.split(';').find((part) => part.trimStart().startsWith(prefix))
  return pair?.trimStart().slice(prefix.length).trimEnd()
}
