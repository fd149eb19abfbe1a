import { hash } from 'node:crypto'
import { remember } from './remember.ts'

/**
 * Names under which the store keeps things. A dump of the store gives no session id, state or cookie: each is 256
 * random bits, so its SHA-256 in base64url leads nowhere.
 */

/** Asked for with every request of a session, so that it is remembered; ids that nobody signed never come here. */
export function hashSession(id: string): string {
  const known = sessions.get(id)
  if (known !== undefined) return known
  const name = sha256(id)
  remember(sessions, id, name)
  return name
}

const sessions = new Map<string, string>()

export const hashState = (state: string): string => sha256(state)

export const hashCookie = (value: string): string => sha256(value)

const sha256 = (text: string): string => hash('sha256', text, 'base64url')
