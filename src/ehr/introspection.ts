import { SmartBffError } from '../errors.ts'
import type { JsonObject } from '../smart/json.ts'

/**
 * What an EHR says about a token it has just issued (RFC 7662; SMART App Launch 2.2, token introspection), for tenants
 * with `quirks.introspection`. Pure. Throws LAUNCH_TOKEN_INVALID where it is not the token that the launch thinks it is.
 */
export function judgeIntrospection(
  answer: JsonObject,
  expected: { readonly clientId: string; readonly patient: string | undefined },
): void {
  const { active, client_id: clientId, patient } = answer
  if (active !== true) throw invalid('not active')
  if (clientId !== undefined && clientId !== expected.clientId) throw invalid('another client')
  // @270: launch context stands here too, if it was in the token response.
  if (patient !== undefined && patient !== expected.patient) throw invalid('another patient')
}

const invalid = (detail: string): SmartBffError =>
  new SmartBffError('LAUNCH_TOKEN_INVALID', { detail: `introspection: ${detail}` })
