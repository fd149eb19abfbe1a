import { scrypt, timingSafeEqual } from 'node:crypto'
import { promisify } from 'node:util'
import type { Secret } from '../config/secret.ts'
import type { Role } from './permissions.ts'

/** Staff of the configuration, for development only (DESIGN rule 16). */
export interface LocalStaff {
  readonly name: string
  readonly passwordHash: Secret
  readonly role: Role
}

const derive = promisify<Buffer, Buffer, number, object, Buffer>(scrypt)
const form =
  /^\$scrypt\$ln=(?<ln>\d{1,2}),r=(?<r>\d{1,3}),p=(?<p>\d{1,3})\$(?<salt>[A-Za-z0-9+/]+)\$(?<hash>[A-Za-z0-9+/]+)$/
const maxMemoryBytes = 268_435_456

/** The member with this name and password; an unknown name costs as much time as a wrong password. */
export async function findLocalStaff(
  staff: readonly LocalStaff[],
  name: string,
  password: string,
): Promise<LocalStaff | undefined> {
  const named = staff.find((member) => member.name === name)
  const judged = named ?? staff[0]
  if (judged === undefined || password.length > 1000) return undefined
  const right = await isPassword(judged.passwordHash, password)
  return right ? named : undefined
}

async function isPassword(passwordHash: Secret, password: string): Promise<boolean> {
  const groups = form.exec(passwordHash.reveal())?.groups
  if (groups === undefined) return false
  const expected = Buffer.from(groups['hash'] ?? '', 'base64')
  const given = await derive(
    Buffer.from(password),
    Buffer.from(groups['salt'] ?? '', 'base64'),
    expected.length,
    {
      N: 2 ** Number(groups['ln']),
      r: Number(groups['r']),
      p: Number(groups['p']),
      maxmem: maxMemoryBytes,
    },
  )
  return timingSafeEqual(expected, given)
}
