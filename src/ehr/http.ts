import { Agent, Pool, ProxyAgent, request, type Dispatcher } from 'undici'
import type { Secret } from '../config/secret.ts'
import type { Tenant } from '../config/schema/tenant.ts'
import { SmartBffError } from '../errors.ts'

/**
 * Small, bounded requests to an EHR's OAuth side: discovery, keys, tokens. FHIR data goes another way (src/fhir).
 * TLS is verified, redirects are not followed (DESIGN rule 7), and an answer larger than the limit is a fault.
 */
export interface EhrHttp {
  send(ask: EhrRequest): Promise<EhrAnswer>
  close(): Promise<void>
}

export interface EhrRequest {
  readonly url: URL
  readonly method: 'GET' | 'POST'
  readonly headers: Readonly<Record<string, string>>
  readonly body?: string
  /** For the whole exchange; 10 s where it is not given. */
  readonly timeoutMs?: number
  /** 256 KiB where it is not given, 8 MiB at most. */
  readonly answerBytesMax?: number
}

export interface EhrAnswer {
  readonly status: number
  readonly contentType: string
  readonly body: string
  /** Where a redirect would have led; it is not followed. */
  readonly location?: string | undefined
}

const answerBytesMax = 262_144
/** What any answer is cut off at. */
const anyAnswerBytesMax = 8_388_608
const connectTimeoutMs = 5_000
const answerTimeoutMs = 10_000

export function createEhrHttp(tenant: Tenant): EhrHttp {
  const dispatcher = oauthDispatcher(tenant)
  return {
    send: (ask) => send(dispatcher, ask),
    close: () => dispatcher.close(),
  }
}

/** TLS options that every connection to this tenant's EHR shares. */
export const tlsOptions = ({ upstream }: Pick<Tenant, 'upstream'>): Record<string, unknown> =>
  tlsOf(upstream)

/** How a server outside is reached. */
export type Outbound = Pick<Tenant['upstream'], 'proxy' | 'ca' | 'clientCertificate'>

export function tlsOf({ ca, clientCertificate }: Outbound): Record<string, unknown> {
  return {
    // SMART @318; said here, so that no option of the process can lower it.
    minVersion: 'TLSv1.2',
    rejectUnauthorized: true,
    ...(ca === undefined ? {} : { ca: ca.reveal() }),
    ...(clientCertificate === undefined
      ? {}
      : { cert: clientCertificate.cert.reveal(), key: clientCertificate.key.reveal() }),
  }
}

/**
 * By way of the site's proxy. undici gives a proxy five minutes to open a tunnel, and whatever needs one waits behind it;
 * so one that says nothing is given up as soon as a server that does not let us in.
 */
export function proxied(
  proxy: Secret,
  outbound: Outbound,
  options: Pool.Options & { readonly connectTimeoutMs: number },
): ProxyAgent {
  const { connectTimeoutMs: limitMs, ...others } = options
  return new ProxyAgent({
    ...others,
    uri: proxy.reveal(),
    requestTls: tlsOf(outbound),
    // Our certificate is for the server behind it.
    proxyTls: tlsOf({ ...outbound, clientCertificate: undefined }),
    connectTimeout: limitMs,
    clientFactory: (origin, given) => new Pool(origin, { ...given, headersTimeout: limitMs }),
  })
}

function oauthDispatcher(tenant: Tenant): Agent | ProxyAgent {
  const options = {
    allowH2: false,
    connections: 8,
    headersTimeout: answerTimeoutMs,
    bodyTimeout: answerTimeoutMs,
    maxResponseSize: anyAnswerBytesMax,
  }
  const { proxy } = tenant.upstream
  if (proxy !== undefined) return proxied(proxy, tenant.upstream, { ...options, connectTimeoutMs })
  return new Agent({ ...options, connect: { timeout: connectTimeoutMs, ...tlsOptions(tenant) } })
}

async function send(dispatcher: Dispatcher, ask: EhrRequest): Promise<EhrAnswer> {
  try {
    const answer = await request(ask.url, {
      dispatcher,
      method: ask.method,
      headers: { 'user-agent': 'smart-bff', ...ask.headers },
      body: ask.body ?? null,
      signal: AbortSignal.timeout(ask.timeoutMs ?? answerTimeoutMs),
    })
    const { 'content-type': contentType, location } = answer.headers
    return {
      status: answer.statusCode,
      contentType: typeof contentType === 'string' ? contentType : '',
      location: typeof location === 'string' ? location : undefined,
      body: await textOf(answer.body, ask.answerBytesMax ?? answerBytesMax),
    }
  } catch (cause) {
    throw new SmartBffError(isTimeout(cause) ? 'EHR_TIMEOUT' : 'EHR_UNREACHABLE', { cause })
  }
}

async function textOf(body: AsyncIterable<Uint8Array>, bytesMax: number): Promise<string> {
  const chunks: Uint8Array[] = []
  let bytes = 0
  for await (const chunk of body) {
    bytes += chunk.byteLength
    if (bytes > bytesMax) throw new Error('answer too large')
    chunks.push(chunk)
  }
  // A byte order mark is dropped, as by fetch.
  return new TextDecoder().decode(Buffer.concat(chunks))
}

const timeoutCodes = new Set([
  'UND_ERR_CONNECT_TIMEOUT',
  'UND_ERR_HEADERS_TIMEOUT',
  'UND_ERR_BODY_TIMEOUT',
])

function isTimeout(cause: unknown): boolean {
  if (!(cause instanceof Error)) return false
  if (cause.name === 'TimeoutError') return true
  return 'code' in cause && typeof cause.code === 'string' && timeoutCodes.has(cause.code)
}
