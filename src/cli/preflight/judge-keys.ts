import type { Tenant } from '../../config/schema/tenant.ts'
import { publicKeySet } from '../../ehr/client-keys.ts'
import type { EhrAnswer } from '../../ehr/http.ts'
import { isJsonObject, parseJsonObject, type JsonObject } from '../../smart/json.ts'
import { type Finding, inArea, quoted } from './finding.ts'

/** Key sets: ours as the EHR would fetch it, and the EHR's that signs id_tokens. Pure. */

const say = inArea('keys')

/** What our own public URL answered. */
export interface OwnAnswer {
  readonly status: number
  readonly body: string
  readonly headers: Headers
}

const privateMembers = ['d', 'p', 'q', 'dp', 'dq', 'qi', 'k']

/** SMART App Launch 2.2, client-confidential-asymmetric (@301-@303, @313-@315). */
export function judgeOwnKeys(tenant: Tenant, url: string, answer: OwnAnswer): readonly Finding[] {
  if (answer.status !== 200) {
    return [say.fail(url, `answered ${answer.status}: the EHR would find no keys there`)]
  }
  const published = keysOf(parseJsonObject(answer.body))
  if (published.length === 0) return [say.fail(url, 'holds no keys: is that smart-bff?')]
  const leaked = published.filter((key) => privateMembers.some((member) => member in key))
  if (leaked.length > 0) {
    return [say.fail(url, 'PUBLISHES A PRIVATE KEY. Take it down and make new keys')]
  }
  const own = publicKeySet([tenant]).keys
  const findings = own.map((key) => judgeKey(key, published))
  return answer.headers.get('cache-control') === null
    ? [...findings, say.warn(url, 'without Cache-Control an EHR may keep it for a day and longer')]
    : findings
}

function judgeKey(key: JsonObject, published: readonly JsonObject[]): Finding {
  const { kid, alg } = key
  const subject = `${String(kid)} (${String(alg)})`
  const found = published.filter((one) => one['kid'] === kid)
  if (found.length === 0) {
    return say.fail(
      subject,
      'not in the published set: the running smart-bff has another configuration',
    )
  }
  if (found.length > 1) return say.fail(subject, 'its kid stands twice in the published set')
  const same = ['kty', 'n', 'e', 'crv', 'x', 'y'].every((one) => found[0]?.[one] === key[one])
  return same
    ? say.ok(subject, 'published')
    : say.fail(subject, 'another key is published under its kid')
}

/** SMART @218: id_tokens are checked against these. */
export function judgeIssuerKeys(url: string, answer: EhrAnswer): Finding {
  if (answer.status !== 200) {
    return say.fail(url, `answered ${answer.status}: id_tokens cannot be checked`)
  }
  const keys = keysOf(parseJsonObject(answer.body))
  const kinds = [...new Set(keys.map(({ kty }) => (typeof kty === 'string' ? kty : 'of no kind')))]
  return keys.length === 0
    ? say.fail(url, 'holds no keys: id_tokens cannot be checked')
    : say.ok(url, `${keys.length} of the EHR (${quoted(kinds)})`)
}

function keysOf(document: JsonObject | undefined): readonly JsonObject[] {
  const keys = document?.['keys']
  return Array.isArray(keys) ? keys.filter(isJsonObject) : []
}
