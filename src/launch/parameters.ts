import { SmartBffError } from '../errors.ts'

/**
 * Query strings of /launch and /callback, judged before anything is done with them. Pure. Repeated protocol parameters
 * are refused (RFC 6749 3.1), sizes are bounded, and other parameters are ignored: they shape nothing.
 */

/** Epic's launch values are JWTs of some kilobytes. */
const launchLengthMax = 8_192
const issLengthMax = 2_000
const codeLengthMax = 8_192
const queryLengthMax = 16_384

export interface LaunchParameters {
  readonly iss: string | undefined
  readonly launch: string | undefined
  /** The pending cookie that a first visit set; see cookie-kept in launch-routes.ts. */
  readonly probe: string | undefined
}

/** Throws LAUNCH_PARAMETER_INVALID. */
export function readLaunchParameters(rawUrl: string): LaunchParameters {
  const query = queryOf(rawUrl, 'LAUNCH_PARAMETER_INVALID')
  const once = (name: string, lengthMax: number): string | undefined =>
    single(query, name, lengthMax, 'LAUNCH_PARAMETER_INVALID')
  return {
    iss: once('iss', issLengthMax),
    launch: once('launch', launchLengthMax),
    probe: once('probe', 64),
  }
}

export type CallbackParameters =
  | { readonly kind: 'code'; readonly state: string; readonly query: URLSearchParams }
  | { readonly kind: 'error'; readonly state: string | undefined; readonly error: string }

/** Error codes of RFC 6749 4.1.2.1 and OIDC Core 3.1.2.6; anything else is told apart no further. */
const authorizationErrors = new Set([
  'access_denied',
  'invalid_request',
  'invalid_scope',
  'unauthorized_client',
  'unsupported_response_type',
  'server_error',
  'temporarily_unavailable',
  'interaction_required',
  'login_required',
  'consent_required',
  'account_selection_required',
])

/** Throws LAUNCH_CALLBACK_INVALID or, without a state, LAUNCH_STATE_UNKNOWN. */
export function readCallbackParameters(rawUrl: string): CallbackParameters {
  const query = queryOf(rawUrl, 'LAUNCH_CALLBACK_INVALID')
  const once = (name: string, lengthMax: number): string | undefined =>
    single(query, name, lengthMax, 'LAUNCH_CALLBACK_INVALID')
  const state = once('state', 256)
  const error = once('error', 256)
  const code = once('code', codeLengthMax)
  once('iss', issLengthMax)
  if (error !== undefined) {
    return { kind: 'error', state, error: authorizationErrors.has(error) ? error : 'other' }
  }
  if (state === undefined) throw new SmartBffError('LAUNCH_STATE_UNKNOWN')
  if (code === undefined) throw new SmartBffError('LAUNCH_CALLBACK_INVALID', { detail: 'code' })
  return { kind: 'code', state, query }
}

type QueryFault = 'LAUNCH_PARAMETER_INVALID' | 'LAUNCH_CALLBACK_INVALID'

function queryOf(rawUrl: string, code: QueryFault): URLSearchParams {
  const start = rawUrl.indexOf('?')
  const text = start === -1 ? '' : rawUrl.slice(start + 1)
  if (text.length > queryLengthMax) throw new SmartBffError(code, { detail: 'query too long' })
  return new URLSearchParams(text)
}

function single(
  query: URLSearchParams,
  name: string,
  lengthMax: number,
  code: QueryFault,
): string | undefined {
  const values = query.getAll(name)
  if (values.length > 1) throw new SmartBffError(code, { detail: `${name} repeated` })
  const value = values[0]
  if (value === undefined || value === '') return undefined
  if (value.length > lengthMax) throw new SmartBffError(code, { detail: `${name} too long` })
  // Control characters are what is refused here.
  // oxlint-disable-next-line no-control-regex
  if (/[\u0000-\u001f\u007f]/.test(value)) throw new SmartBffError(code, { detail: name })
  return value
}
