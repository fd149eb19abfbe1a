import { parseJsonObject, type JsonObject } from '../smart/json.ts'
import type { EhrAnswer } from './http.ts'

/**
 * What a token endpoint answered, made conformant before openid-client sees it, in this one place. Pure.
 * Measured deviations of servers: null members, status 201, `scope` as an array, wrong content types, error bodies
 * that are HTML, `WWW-Authenticate` beside a JSON error (smart-conformance.md 4 and 6).
 */
export type TokenAnswer =
  | {
      readonly kind: 'issued'
      /** Without `id_token`, which src/ehr/identity.ts judges. */
      readonly members: JsonObject
      readonly idToken: string | undefined
    }
  | { readonly kind: 'refused'; readonly error: OAuthError; readonly status: number }
  /** 5xx, 429, redirects: the request may or may not have taken effect. */
  | { readonly kind: 'uncertain'; readonly status: number }
  | { readonly kind: 'unreadable'; readonly status: number }

/** RFC 6749 5.2 and its neighbours; anything else an EHR writes is `other` (never foreign text in a log). */
const oauthErrors = [
  'invalid_request',
  'invalid_client',
  'invalid_grant',
  'unauthorized_client',
  'unsupported_grant_type',
  'invalid_scope',
  'invalid_target',
  'access_denied',
] as const

export type OAuthError = (typeof oauthErrors)[number] | 'other'

export function readTokenAnswer(answer: EhrAnswer): TokenAnswer {
  const { status } = answer
  if (status === 200 || status === 201) return readIssued(answer)
  if (status >= 400 && status < 500 && status !== 429 && status !== 408) {
    return { kind: 'refused', error: errorOf(answer.body), status }
  }
  return { kind: 'uncertain', status }
}

function readIssued(answer: EhrAnswer): TokenAnswer {
  const document = parseJsonObject(answer.body)
  if (document === undefined) return { kind: 'unreadable', status: answer.status }
  const { id_token: idToken, ...rest } = document
  const members = Object.fromEntries(
    Object.entries(rest)
      .filter(([name, value]) => value !== null && !(name === 'refresh_token' && value === ''))
      .map(([name, value]) => [name, name === 'scope' ? scopeText(value) : value]),
  )
  return { kind: 'issued', members, idToken: typeof idToken === 'string' ? idToken : undefined }
}

function scopeText(value: unknown): unknown {
  return Array.isArray(value) && value.every((entry) => typeof entry === 'string')
    ? value.join(' ')
    : value
}

function errorOf(body: string): OAuthError {
  const value = parseJsonObject(body)?.['error']
  return oauthErrors.find((known) => known === value) ?? 'other'
}
