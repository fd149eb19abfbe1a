import { OperationOutcomeError, badRequest, getStatus, notFound } from '@medplum/core'
import type { FhirRequest, FhirResponse } from '@medplum/fhir-router'
import { FhirRouter } from '@medplum/fhir-router'
import type { Answer, Request } from '../http.ts'
import { form } from '../http.ts'
import type { Access } from './access.ts'
import { binaryAnswer } from './binary.ts'
import { capabilityStatement } from './capability.ts'
import { everything } from './everything.ts'
import type { Paging } from './paging.ts'
import { fhirAnswer, outcome, unauthorized, withElements, withFullUrls } from './answer.ts'
import { GuardedRepository } from './repository.ts'
import type { Store } from './store.ts'
import type { Bundle, Resource } from './types.ts'

export interface FhirDeps {
  readonly store: Store
  /** The FHIR base, without a slash at its end. */
  readonly base: string
  readonly paging: Paging
  /** Instead of an OperationOutcome, where a scope is missing. */
  readonly forbidden: { readonly headers: Record<string, string>; readonly body: string } | null
  /** The access a bearer token gives; undefined when it is missing, expired or revoked. */
  authorize(bearer: string | undefined): Promise<Access | undefined>
}

/** The FHIR API: `path` is what follows the base, beginning with a slash. */
export function createFhir(deps: FhirDeps): (request: Request, path: string) => Promise<Answer> {
  const router = new FhirRouter()
  return async (request, path) => {
    const head = request.method === 'HEAD'
    const answer = await respond(deps, router, head ? { ...request, method: 'GET' } : request, path)
    return head ? { ...answer, body: '' } : answer
  }
}

async function respond(
  deps: FhirDeps,
  router: FhirRouter,
  request: Request,
  path: string,
): Promise<Answer> {
  if (path === '/metadata' && request.method === 'GET') {
    return fhirAnswer(200, capabilityStatement(deps.base, deps.store.types()))
  }
  const access = await deps.authorize(bearerOf(request))
  if (access === undefined) return unauthorized()
  try {
    return await authorized(deps, router, access, request, path)
  } catch (error) {
    if (error instanceof OperationOutcomeError) {
      const status = statusOf(error.outcome)
      if (status === 403 && deps.forbidden !== null) return { status, ...deps.forbidden }
      return fhirAnswer(status, error.outcome)
    }
    throw error
  }
}

async function authorized(
  deps: FhirDeps,
  router: FhirRouter,
  access: Access,
  request: Request,
  path: string,
): Promise<Answer> {
  const onlyNew = request.method === 'PUT' && request.headers['if-none-match'] === '*'
  const repository = new GuardedRepository(deps.store, access, onlyNew)
  const held = deps.paging.resume(request.url.searchParams)
  if (held === 'unknown') return outcome(410, 'expired', 'This page is no longer there.')
  const { method, target, query } = held ?? normalized(request, path)
  const operation = /^\/Patient\/([^/]+)\/\$everything$/.exec(target)
  if (operation?.[1] !== undefined) {
    const bundle = await everything(deps.store, access, operation[1], query)
    return page(deps, bundle, target, query)
  }
  const binary = /^\/Binary\/([^/]+)$/.exec(target)
  if (binary?.[1] !== undefined && method === 'GET') {
    return binaryAnswer(await repository.readResource('Binary', binary[1]), request.headers.accept)
  }
  const search = method === 'GET' && /^\/[A-Z][A-Za-z]+$/.test(target)
  const asked = search ? deps.paging.limited(query) : query
  const response = await router.handleRequest(
    routed(method, `${target}${asked.size > 0 ? `?${asked.toString()}` : ''}`, request),
    repository,
  )
  return answered(deps, response, { method, target, query: asked })
}

/** The request as the router wants it; compartments and POST searches become plain searches. */
function normalized(request: Request, path: string): Asked {
  const query = new URLSearchParams(request.url.search)
  const posted = request.method === 'POST' ? /^(.*)\/_search$/.exec(path) : null
  const fields = posted ? form(request) : undefined
  for (const [name, value] of fields ?? []) query.append(name, value)
  const target = posted?.[1] ?? path
  const method = posted ? 'GET' : request.method
  if (posted && fields === undefined) {
    throw new OperationOutcomeError(badRequest('A search by POST is a form'))
  }
  const compartment = /^\/Patient\/([^/$_]+)\/([A-Z][A-Za-z]+)$/.exec(target)
  if (method === 'GET' && compartment?.[1] && compartment[2]) {
    query.append('patient', compartment[1])
    return { method, target: `/${compartment[2]}`, query }
  }
  return { method, target, query }
}

interface Asked {
  readonly method: string
  readonly target: string
  readonly query: URLSearchParams
}

const methods = ['GET', 'POST', 'PUT', 'PATCH', 'DELETE'] as const

function routed(method: string, url: string, request: Request): FhirRequest {
  const known = methods.find((one) => one === method)
  if (known === undefined) throw new OperationOutcomeError(notFound)
  const match = request.headers['if-match']
  if (match !== undefined && !/^(W\/)?"[^"]+"$/.test(match)) {
    throw new OperationOutcomeError(badRequest('If-Match is one quoted version'))
  }
  return {
    method: known,
    url: url === '/' ? '' : url,
    pathname: '',
    params: {},
    query: {},
    headers: request.headers,
    body: method === 'GET' ? undefined : bodyOf(request),
    config: { transactions: true },
  }
}

function bodyOf(request: Request): unknown {
  if (request.body.length === 0) return undefined
  try {
    return JSON.parse(request.body.toString('utf8'))
  } catch {
    throw new OperationOutcomeError(badRequest('The body is not JSON'))
  }
}

function answered(deps: FhirDeps, [result, resource]: FhirResponse, asked: Asked): Answer {
  const status = statusOf(result)
  if (resource === undefined) return fhirAnswer(status, result)
  const { method, target, query } = asked
  if (resource.resourceType === 'Bundle' && method === 'GET') {
    return page(deps, resource, target, query)
  }
  if (resource.resourceType === 'Bundle' && target === '/') {
    return fhirAnswer(200, resource)
  }
  const location =
    method === 'GET' || status >= 300 ? {} : { location: `${deps.base}/${versioned(resource)}` }
  return fhirAnswer(status, resource, location)
}

function page(deps: FhirDeps, bundle: Bundle, target: string, query: URLSearchParams): Answer {
  const whole = withFullUrls(bundle, deps.base)
  const linked = { ...whole, link: deps.paging.links(bundle, target, query) }
  return fhirAnswer(200, withElements(linked, query.get('_elements')))
}

const versioned = (resource: Resource): string =>
  `${resource.resourceType}/${resource.id ?? ''}/_history/${resource.meta?.versionId ?? '1'}`

/** The FHIR library answers 200 to an empty status; everything else is its own table. */
const statusOf = (result: FhirResponse[0]): number => getStatus(result)

function bearerOf({ headers }: Request): string | undefined {
  return /^Bearer ([\x21-\x7e]+)$/i.exec(headers.authorization ?? '')?.[1]
}
