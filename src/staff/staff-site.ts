import type { FastifyPluginAsync } from 'fastify'
import { SearchIndexFault } from '../audit/search-index/fault.ts'
import { SmartBffError } from '../errors.ts'
import type { HealthStatus } from '../operations/health.ts'
import { newIncident } from '../web/incident.ts'
import { exportRoutes } from './export-routes.ts'
import type { ExportRoutesDeps } from './export-routes.ts'
import { findRoutes } from './find-routes.ts'
import type { FindRoutesDeps } from './find-routes.ts'
import { launchRoutes } from './launch-routes.ts'
import type { LaunchRoutesDeps } from './launch-routes.ts'
import { launchStoryRoutes } from './launch-story-routes.ts'
import { overviewRoutes } from './overview-routes.ts'
import { savedRoutes } from './saved-routes.ts'
import { signInRoutes } from './sign-in-routes.ts'
import type { SignInDeps } from './sign-in-routes.ts'
import { stateRoutes } from './state-routes.ts'
import type { StateRoutesDeps } from './state-routes.ts'
import { createDocs } from './docs.ts'
import { docsRoutes } from './docs-routes.ts'
import { tenantRoutes } from './tenant-routes.ts'
import type { TenantRoutesDeps } from './tenant-routes.ts'
import { createStaffViews } from './views.ts'
import { createGuard, notFound, showMessage } from './visit.ts'

/**
 * The site on which support and privacy staff read the audit. On the operations side, never in an iframe; without
 * script; every page and every search is recorded before it is shown.
 */
export type StaffSiteDeps = Omit<
  SignInDeps &
    FindRoutesDeps &
    ExportRoutesDeps &
    StateRoutesDeps &
    TenantRoutesDeps &
    LaunchRoutesDeps,
  'views' | 'guard'
>

const policy =
  "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"

export function staffSite(site: StaffSiteDeps): FastifyPluginAsync {
  const views = createStaffViews()
  const deps = { ...site, views, docs: createDocs(), guard: createGuard({ ...site, views }) }
  return async (server) => {
    server.removeContentTypeParser(['application/json', 'text/plain'])
    server.addContentTypeParser(
      'application/x-www-form-urlencoded',
      { parseAs: 'string', bodyLimit: 16_384 },
      async (_request: unknown, body: string) => Object.fromEntries(new URLSearchParams(body)),
    )
    server.addHook('onRequest', async (_request, reply) => {
      reply.header('content-security-policy', policy)
      // With no-referrer a browser sends `Origin: null` with our own forms.
      reply.header('referrer-policy', 'same-origin')
      reply.header('cross-origin-opener-policy', 'same-origin')
      reply.header('cross-origin-resource-policy', 'same-origin')
      if (site.publicOrigin.startsWith('https:')) {
        reply.header('strict-transport-security', 'max-age=63072000')
      }
    })
    server.setErrorHandler(async (error, _request, reply) => {
      const incident = newIncident()
      const status = error instanceof Error && 'statusCode' in error ? error.statusCode : 500
      // Too large, of another type: the sender's fault, and no alarm.
      if (typeof status === 'number' && status >= 400 && status < 500) {
        return showMessage(views, reply, status, incident, {
          title: 'Not understood',
          sentence: 'The request was not of the form of a page here.',
          link: { href: '/', label: 'Back' },
        })
      }
      site.onFault(error, incident)
      const health = site.health.status()
      const missing = whatIsMissing(error, health)
      if (missing !== undefined) {
        return showMessage(views, reply, 503, incident, unavailable(missing, health))
      }
      return showMessage(views, reply, 500, incident, {
        title: 'This did not work',
        sentence:
          'The page could not be made. If it repeats, give the incident number to whoever runs this server.',
        link: { href: '/', label: 'Back' },
      })
    })
    server.get('/staff.css', async (_request, reply) =>
      reply.type('text/css; charset=utf-8').send(views.style),
    )
    server.get('/icon.svg', async (_request, reply) => reply.type('image/svg+xml').send(views.icon))
    await server.register(signInRoutes(deps))
    await server.register(findRoutes(deps))
    await server.register(savedRoutes(deps))
    await server.register(exportRoutes(deps))
    await server.register(launchStoryRoutes(deps))
    await server.register(overviewRoutes(deps))
    await server.register(tenantRoutes(deps))
    await server.register(stateRoutes(deps))
    await server.register(launchRoutes(deps))
    await server.register(docsRoutes(deps))
    server.get('/*', async (_request, reply) =>
      showMessage(views, reply, 404, newIncident(), notFound),
    )
  }
}

const inWords = (reasons: readonly string[]): string => reasons.join(', ').replaceAll('_', ' ')

/**
 * What is asked here is recorded before it is shown, so without the audit there is nothing to see, whatever else is
 * missing (DESIGN rule 8).
 */
function whatIsMissing(error: unknown, { reasons }: HealthStatus): string | undefined {
  const isUnavailable = error instanceof SmartBffError && error.status === 503
  if (
    reasons.includes('audit_not_writable') ||
    (isUnavailable && error.code === 'AUDIT_UNAVAILABLE')
  ) {
    return 'What you ask for cannot be recorded now, so it is not shown.'
  }
  if (isUnavailable) return 'The session store does not answer now.'
  if (error instanceof SearchIndexFault) {
    return 'The search index does not answer now. Records are written all the same, and smart-bff audit search reads the files themselves.'
  }
  return undefined
}

const unavailable = (missing: string, { word, reasons }: HealthStatus) => ({
  title: 'Not available now',
  sentence: [
    missing,
    ...(reasons.length === 0
      ? ['Try again in a minute; the log of this server says why, under the incident number.']
      : [
          'Try again in a minute; whoever runs this server has an alarm.',
          // The page that says so is not shown either.
          `This replica is ${word}: ${inWords(reasons)}.`,
        ]),
  ].join(' '),
  link: { href: '/', label: 'Try again' },
})
