import { hash } from 'node:crypto'

/**
 * Names under which the store keeps things. A dump of the store gives no session id, state or cookie: each is 256
 * random bits, so its SHA-256 in base64url leads nowhere.
 */

export const hashSession = (id: string): string => sha256(id)

export const hashState = (state: string): string => sha256(state)

export const hashCookie = (value: string): string => sha256(value)

const sha256 = (text: string): string => hash('sha256', text, 'base64url')
