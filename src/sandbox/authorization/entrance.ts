import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Request } from '../http.ts'
import { form } from '../http.ts'
import type { VendorBehaviour } from '../vendors.ts'

export interface EntranceDeps {
  readonly origin: string
  readonly vendor: VendorBehaviour
  authorization(request: IncomingMessage, response: ServerResponse): Promise<void>
}

/**
 * The way into oidc-provider. It sees its own paths, no cookies (every authorization is a session of its own, so that
 * launches in one browser cannot meet), and `prompt=consent`, which OIDC Core 11 asks for offline_access and SMART
 * clients never send.
 */
export async function enterAuthorization(
  deps: EntranceDeps,
  request: Request,
  incoming: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const path = request.url.pathname.slice('/oauth'.length)
  if (path === '/authorize' && request.method === 'POST' && !deps.vendor.authorizePost) {
    response.statusCode = 405
    response.end()
    return
  }
  const query = new URLSearchParams(request.url.search)
  if (path === '/jwks' && deps.vendor.jwksNeedsClientId && !query.has('client_id')) {
    response.statusCode = 400
    response.end()
    return
  }
  const fields = form(request)
  if (path === '/authorize') (fields ?? query).set('prompt', 'consent')
  delete incoming.headers.cookie
  incoming.headers.host = new URL(deps.origin).host
  incoming.url = query.size > 0 ? `${path}?${query.toString()}` : path
  const { authorization } = incoming.headers
  if (authorization !== undefined && deps.vendor.basicEncoding === 'raw') {
    incoming.headers.authorization = formEncoded(authorization)
  }
  Object.assign(incoming, {
    originalUrl: `/oauth${incoming.url}`,
    ...(fields === undefined ? {} : { body: fields.toString() }),
  })
  const setHeader = response.setHeader.bind(response)
  response.setHeader = (name, value) => {
    if (name.toLowerCase() === 'set-cookie') return response
    const plain = name.toLowerCase() === 'location' && !deps.vendor.callbackIss
    return setHeader(name, plain && typeof value === 'string' ? withoutIss(value) : value)
  }
  await deps.authorization(incoming, response)
}

/** oidc-provider form-decodes Basic credentials; a server that takes them as they are gets them encoded here. */
function formEncoded(authorization: string): string {
  const basic = /^Basic ([A-Za-z0-9+/=]+)$/.exec(authorization)?.[1]
  if (basic === undefined) return authorization
  const [id = '', ...secret] = Buffer.from(basic, 'base64').toString('utf8').split(':')
  const pair = `${encodeURIComponent(id)}:${encodeURIComponent(secret.join(':'))}`
  return `Basic ${Buffer.from(pair).toString('base64')}`
}

function withoutIss(location: string): string {
  const url = URL.parse(location)
  if (url === null) return location
  url.searchParams.delete('iss')
  return url.href
}
