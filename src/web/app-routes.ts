import fastifyStatic from '@fastify/static'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import type { Config } from '../config/schema/config.ts'
import type { Tenant } from '../config/schema/tenant.ts'
import { SmartBffError } from '../errors.ts'
import { createAppDirectory } from './app-directory.ts'
import { createAppPolicy, type AppPolicy } from './app-policy.ts'
import type { AppSource } from './app-source.ts'
import { createAppUpstream } from './app-upstream.ts'
import { injectHelper } from './helper-tag.ts'
import { hasContentHash, parseFilePath, type FilePath } from './path-grammar.ts'

export interface AppParts {
  readonly source: AppSource
  readonly policy: AppPolicy
  readonly helper: 'inject' | 'none'
}

export function createAppParts(app: Config['app']): AppParts {
  const source =
    'directory' in app ? createAppDirectory(app.directory) : createAppUpstream(app.upstream)
  return { source, policy: createAppPolicy(app.csp), helper: app.helper }
}

export interface AppRoutesDeps extends AppParts {
  /** Throws unless the launch lives and belongs to this browser's session (DESIGN rule 2). Answers its tenant. */
  readonly openLaunch: (request: FastifyRequest, launch: string) => Promise<{ tenant: Tenant }>
}

type Launched = { Params: { launch: string } }
const launchPattern = /^[A-Za-z0-9_-]{16,64}$/

/**
 * `/app/:launch/*`: the document, and whatever lies beside it. It holds nothing of the patient, and is shown only
 * to the browser whose launch it is all the same: a link that was passed on ends on a calm page, not in an app that fails.
 * For a scope with the browser session.
 */
export function appRoutes(deps: AppRoutesDeps) {
  return async (scope: FastifyInstance): Promise<void> => {
    await scope.register(fastifyStatic, { serve: false })
    scope.addHook('onClose', () => deps.source.close())

    scope.get<Launched>('/app/:launch', async (request, reply) => {
      const { launch } = request.params
      if (!launchPattern.test(launch)) throw new SmartBffError('SESSION_MISSING')
      // With the slash, so that the document's relative addresses lead to files beside it.
      return reply.redirect(`/app/${launch}/`, 302)
    })
    scope.route<Launched>({
      method: ['GET', 'HEAD'],
      url: '/app/:launch/*',
      handler: async (request, reply) => {
        const { launch } = request.params
        const { tenant } = await deps.openLaunch(request, launch)
        const file = parseFilePath(request.raw.url ?? '', `/app/${launch}/`)
        if (file === undefined) throw new SmartBffError('ROUTE_UNKNOWN')
        if (isDocument(file)) return sendDocument(deps, file, tenant, reply)
        reply.header('content-security-policy', policyFor(deps.policy, file))
        return deps.source.send(request, reply, file.path)
      },
    })
  }
}

/** `/assets/*`: static files, shared by all launches; no session and no store. */
export function assetRoutes({ source, policy }: Pick<AppParts, 'source' | 'policy'>) {
  return async (scope: FastifyInstance): Promise<void> => {
    await scope.register(fastifyStatic, { serve: false })
    scope.route({
      method: ['GET', 'HEAD'],
      url: '/assets/*',
      handler: async (request, reply) => {
        const file = parseFilePath(request.raw.url ?? '', '/assets/')
        if (file === undefined || file.path === '') throw new SmartBffError('ROUTE_UNKNOWN')
        reply.header('cache-control', hasContentHash(file.path) ? unchanging : askAgain)
        reply.header('content-security-policy', policyFor(policy, file))
        return source.send(request, reply, `assets/${file.path}`)
      },
    })
  }
}

const unchanging = 'public, max-age=31536000, immutable'
/** Kept, and asked for with its ETag every time. */
const askAgain = 'no-cache'

function isDocument({ extension }: FilePath): boolean {
  return extension === '' || extension === 'html' || extension === 'htm'
}

async function sendDocument(
  { source, policy, helper }: AppParts,
  file: FilePath,
  tenant: Tenant,
  reply: FastifyReply,
): Promise<FastifyReply> {
  const html = await source.document(file.extension === '' ? 'index.html' : file.path)
  if (html === undefined) throw new SmartBffError('ROUTE_UNKNOWN')
  return reply
    .header('content-security-policy', policy.document(tenant))
    .header('content-type', 'text/html; charset=utf-8')
    .send(helper === 'inject' ? injectHelper(html) : html)
}

function policyFor(policy: AppPolicy, { extension }: FilePath): string {
  return extension === 'js' || extension === 'mjs' ? policy.script : policy.picture
}
