import type { JsonObject } from '../smart/json.ts'
import type { TokenAnswer } from './token-answer.ts'

/** What an answer of the token endpoint gave. */
export interface Issued {
  readonly accessToken: string
  readonly expiresInSeconds: number | undefined
  readonly refreshToken: string | undefined
  /** Undefined when the EHR sent no `scope`. */
  readonly scope: string | undefined
  readonly idToken: string | undefined
  /** The whole answer without tokens' interpretation, for the launch context. */
  readonly members: JsonObject
}

const tokenLengthMax = 32_768

/** Undefined where there is no access token that could be sent. */
export function issuedOf(answer: TokenAnswer | undefined): Issued | undefined {
  if (answer?.kind !== 'issued') return undefined
  const { members, idToken } = answer
  const accessToken = members['access_token']
  // RFC 6750 2.1: only these characters can stand in an Authorization header.
  if (typeof accessToken !== 'string' || accessToken.length > tokenLengthMax) return undefined
  if (!/^[\x21-\x7e]+$/.test(accessToken)) return undefined
  const { refresh_token: refreshToken, scope } = members
  return {
    accessToken,
    expiresInSeconds: secondsOf(members['expires_in']),
    refreshToken:
      typeof refreshToken === 'string' && refreshToken.length <= tokenLengthMax
        ? refreshToken
        : undefined,
    scope: typeof scope === 'string' ? scope : undefined,
    idToken,
    members,
  }
}

/** A year: what is longer says the same, and as an instant it might be none that a calendar knows. */
const secondsMax = 31_536_000

function secondsOf(value: unknown): number | undefined {
  const seconds = typeof value === 'string' && value !== '' ? Number(value) : value
  return typeof seconds === 'number' && Number.isFinite(seconds) && seconds > 0
    ? Math.min(seconds, secondsMax)
    : undefined
}
