import * as oauth from 'openid-client'
import type { Tenant } from '../config/schema/tenant.ts'
import { SmartBffError } from '../errors.ts'
import type { EhrAnswer, EhrHttp } from './http.ts'
import type { ResolvedQuirks } from './quirks.ts'
import type { SmartConfiguration } from './smart-configuration.ts'
import { readTokenAnswer, type TokenAnswer } from './token-answer.ts'

/** One conversation with the EHR's OAuth endpoints, and what the token endpoint answered in it. */
export interface Call {
  readonly configuration: oauth.Configuration
  readonly seen: { answer?: TokenAnswer; fault?: SmartBffError; unsent?: true }
}

export interface CallDeps {
  readonly tenant: Tenant
  readonly quirks: ResolvedQuirks
  readonly http: EhrHttp
}

/** Requests go through our bounded http; the library is shown answers in the form that it knows. */
export function prepareCall(
  deps: CallDeps,
  document: SmartConfiguration,
  clientAuth: oauth.ClientAuth,
  maySend: () => boolean = () => true,
): Call {
  const configuration = new oauth.Configuration(
    {
      issuer: document.issuer,
      authorization_endpoint: document.authorizationEndpoint,
      token_endpoint: document.tokenEndpoint,
      ...(document.revocationEndpoint === undefined
        ? {}
        : { revocation_endpoint: document.revocationEndpoint }),
      ...(document.introspectionEndpoint === undefined
        ? {}
        : { introspection_endpoint: document.introspectionEndpoint }),
      code_challenge_methods_supported: ['S256'],
      // RFC 9207 2.4: checked whenever sent; required where the tenant (DESIGN rule 3) or the EHR itself says so.
      authorization_response_iss_parameter_supported:
        deps.quirks.callbackIss === 'required' || document.callbackIss,
    },
    deps.tenant.client.id,
    {},
    clientAuth,
  )
  // The configuration refuses http endpoints outside development before any client exists.
  if (deps.tenant.iss.startsWith('http:')) oauth.allowInsecureRequests(configuration)
  const seen: Call['seen'] = {}
  configuration[oauth.customFetch] = async (url, options) => {
    if (!maySend()) {
      seen.unsent = true
      throw new Error('not to be sent any more')
    }
    const answer = await sendForm(deps.http, new URL(url), options).catch((fault: unknown) => {
      if (fault instanceof SmartBffError) seen.fault = fault
      throw fault
    })
    if (url === document.introspectionEndpoint) return bodyResponse(answer)
    if (url !== document.tokenEndpoint) return plainResponse(answer)
    seen.answer = readTokenAnswer(answer)
    return conformantResponse(seen.answer)
  }
  return { configuration, seen }
}

async function sendForm(
  http: EhrHttp,
  url: URL,
  options: oauth.CustomFetchOptions,
): Promise<EhrAnswer> {
  const headers = Object.fromEntries(new Headers(options.headers).entries())
  return http.send({ url, method: 'POST', headers, body: formText(options.body) })
}

/** The library hands over a form; anything else is not one of our requests. */
function formText(body: oauth.CustomFetchOptions['body']): string {
  if (body instanceof URLSearchParams) return body.toString()
  return typeof body === 'string' ? body : ''
}

/** RFC 7662 2.2: JSON, whatever the server calls it. */
const bodyResponse = ({ status, body }: EhrAnswer): Response =>
  new Response(body, { status, headers: jsonHeaders })

const jsonHeaders = { 'content-type': 'application/json' }

/** RFC 7009 2.2: 200 is the answer; servers that send 204 mean the same. */
function plainResponse(answer: EhrAnswer): Response {
  return new Response(null, { status: answer.status === 204 ? 200 : answer.status })
}

function conformantResponse(answer: TokenAnswer): Response {
  if (answer.kind === 'issued') {
    return new Response(JSON.stringify(answer.members), { headers: jsonHeaders })
  }
  const error = answer.kind === 'refused' ? answer.error : 'server_error'
  return new Response(JSON.stringify({ error }), { status: 400, headers: jsonHeaders })
}
