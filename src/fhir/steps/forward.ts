import type { OpenLaunch, Tokens } from '../../vault/vault.ts'
import type { OpenedLaunch } from '../exchange.ts'
import { parameterName, printQuery } from '../request.ts'
import type { FhirRequest } from '../request.ts'
import { printParameters } from '../write/operation-parameters.ts'
import type { Listener, Upstream, UpstreamAnswer, UpstreamAsk, UpstreamFault } from '../upstream.ts'
import type { UpstreamUrls } from '../upstream-url.ts'

/**
 * forward: the request as we rebuilt it, with the launch's token, to the tenant's FHIR base and nowhere else (DESIGN
 * rule 7). A 401 gets one newer token and one more try, unless a newer one is known to be refused too.
 */
export interface ForwardDeps {
  readonly tokens: Tokens
  readonly upstream: Upstream
}

export interface Outbound {
  readonly method: UpstreamAsk['method']
  readonly target: string
  readonly headers: readonly string[]
  readonly body: Buffer | undefined
}

export interface Asking {
  readonly launch: OpenedLaunch
  readonly listener: Listener
  /** Where the status of the answer is written down. */
  readonly told: { upstreamStatus?: number | undefined }
}

export async function forward(
  outbound: Outbound,
  { launch, listener, told }: Asking,
  { tokens, upstream }: ForwardDeps,
): Promise<UpstreamAnswer | UpstreamFault> {
  const { key } = launch
  const asked = tokens.current(key, launch.opened)
  const current = asked instanceof Promise ? await asked : asked
  const first = await upstream.send(askOf(outbound, key.launch, current, listener))
  note(first, told)
  if (first.kind === 'fault' || first.status !== 401) return first
  const renewed = await tokens.afterRefusal(key, current)
  if (renewed === current) return first
  const second = await upstream.send(askOf(outbound, key.launch, renewed, listener))
  note(second, told)
  if (second.kind === 'answer') await tokens.triedAgain(key, renewed, second.status)
  return second
}

function askOf(
  { method, target, headers, body }: Outbound,
  launch: string,
  { record }: OpenLaunch,
  listener: Listener,
): UpstreamAsk {
  return { method, target, headers, body, launch, accessToken: record.tokens.access, listener }
}

function note(answer: UpstreamAnswer | UpstreamFault, told: Asking['told']): void {
  if (answer.kind === 'answer') told.upstreamStatus = answer.status
}

/** `handling=strict`: an ignored parameter would be an unfiltered search (fhir-access-and-audit.md 1.12). */
const strictSearch = ['prefer', 'handling=strict']

export function outboundOf(request: FhirRequest, urls: UpstreamUrls): Outbound {
  const search = request.interaction === 'search-type'
  if (!request.post) {
    const headers = search ? strictSearch : []
    return { method: 'GET', target: urls.target(request), headers, body: undefined }
  }
  if (request.interaction === 'operation') {
    return {
      method: 'POST',
      target: urls.target(request),
      headers: ['content-type', 'application/fhir+json'],
      body: printParameters(request.parameters),
    }
  }
  const form = ['content-type', 'application/x-www-form-urlencoded']
  return {
    method: 'POST',
    target: urls.target(request),
    headers: [...strictSearch, ...form],
    body: Buffer.from(printQuery(request.parameters)),
  }
}

/**
 * Where a page link leads. A link to `Type/_search` cannot be had by GET (LinuxForHealth after a search by POST): it is
 * asked as it was, with the parameters that the link does not name itself in the form (fhir-access-and-audit.md 2.2).
 */
export function pageOf(target: string, sent: FhirRequest, urls: UpstreamUrls): Outbound {
  const [path = '', query = ''] = target.split('?', 2)
  if (!path.endsWith('/_search')) return { ...outboundOf(sent, urls), target }
  const named = new Set(new URLSearchParams(query).keys())
  const parameters = sent.parameters.filter((parameter) => !named.has(parameterName(parameter)))
  return { ...outboundOf({ ...sent, parameters, post: true }, urls), target }
}
