import helmet from '@fastify/helmet'
import { randomBytes } from 'node:crypto'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import type { Tenant } from '../config/schema/tenant.ts'

/**
 * Security headers. What is the same on every answer is set by helmet; the Content-Security-Policy is made for each
 * kind of answer here, because who may frame it depends on the launch's tenant. X-Frame-Options is never sent: it
 * knows no list. /fhir sets its own, before Fastify.
 */
export async function registerSecurityHeaders(
  app: FastifyInstance,
  options: { readonly publicOrigin: string },
): Promise<void> {
  const https = options.publicOrigin.startsWith('https:')
  await app.register(helmet, {
    contentSecurityPolicy: false,
    frameguard: false,
    strictTransportSecurity: https ? { maxAge: hstsSeconds, includeSubDomains: false } : false,
    referrerPolicy: { policy: 'no-referrer' },
    crossOriginResourcePolicy: { policy: 'same-origin' },
    // The page for a browser without cookies opens the launch in a window of its own.
    crossOriginOpenerPolicy: { policy: 'same-origin-allow-popups' },
    crossOriginEmbedderPolicy: false,
    xPoweredBy: false,
    xDownloadOptions: false,
    xXssProtection: false,
    xPermittedCrossDomainPolicies: { permittedPolicies: 'none' },
  })
  app.addHook('onRequest', async (request, reply) => {
    reply.header('permissions-policy', permissionsPolicy)
    // Static files say otherwise; whatever forgets to say is not kept by anybody.
    reply.header('cache-control', 'no-store')
    // Until a handler says what it answers with, it is nothing that may run or be framed.
    reply.header('content-security-policy', dataPolicy)
    reply.header('smart-bff-request', request.incident)
  })
}

const hstsSeconds = 2 * 365 * 24 * 60 * 60

/** The same, for what Fastify refuses before any hook has run. */
export function setEarlyHeaders(reply: FastifyReply, publicOrigin: string): void {
  reply.headers({
    'cross-origin-opener-policy': 'same-origin-allow-popups',
    'cross-origin-resource-policy': 'same-origin',
    'origin-agent-cluster': '?1',
    'referrer-policy': 'no-referrer',
    'x-content-type-options': 'nosniff',
    'x-dns-prefetch-control': 'off',
    'x-permitted-cross-domain-policies': 'none',
    'permissions-policy': permissionsPolicy,
    'cache-control': 'no-store',
  })
  if (publicOrigin.startsWith('https:')) {
    reply.header('strict-transport-security', `max-age=${hstsSeconds}`)
  }
}

/** Nothing of a device is the app's business. */
const permissionsPolicy = [
  'accelerometer',
  'autoplay',
  'camera',
  'display-capture',
  'geolocation',
  'gyroscope',
  'hid',
  'magnetometer',
  'microphone',
  'midi',
  'payment',
  'publickey-credentials-get',
  'screen-wake-lock',
  'serial',
  'usb',
  'xr-spatial-tracking',
]
  .map((feature) => `${feature}=()`)
  .join(', ')

/** What a user leaves behind. "cookies" would sign him out of every application of the domain. */
export const clearSiteData = '"cache", "storage"'

/** JSON, files: never a document. */
export const dataPolicy = "sandbox; default-src 'none'; frame-ancestors 'none'"

/** Sends one of our pages: markup without any outside part, its style and script under a nonce. */
export function sendPage(
  request: FastifyRequest,
  reply: FastifyReply,
  render: (nonce: string) => string,
  options: PageOptions = {},
): FastifyReply {
  const nonce = randomBytes(18).toString('base64url')
  return reply
    .header('content-security-policy', pagePolicy(nonce, request.tenant, options))
    .header('content-type', 'text/html; charset=utf-8')
    .send(render(nonce))
}

export interface PageOptions {
  /**
   * The page posts a form to the EHR. Chromium holds form-action against every redirect that follows, the one back to
   * us included, and where the EHR redirects in between is its own affair: so the directive is left out.
   */
  readonly postsElsewhere?: boolean
}

export function pagePolicy(
  nonce: string,
  tenant: Tenant | undefined,
  { postsElsewhere = false }: PageOptions = {},
): string {
  return [
    "default-src 'none'",
    `style-src 'nonce-${nonce}'`,
    `script-src 'nonce-${nonce}'`,
    "img-src 'self' data:",
    "base-uri 'none'",
    ...(postsElsewhere ? [] : ["form-action 'self'"]),
    frameAncestors(tenant),
  ].join('; ')
}

/** A page without a tenant holds text only and may be framed by anyone (DESIGN, Pages without a tenant). */
export function frameAncestors(tenant: Tenant | undefined): string {
  if (tenant === undefined) return 'frame-ancestors *'
  const origins = tenant.frameAncestors.length === 0 ? ["'none'"] : tenant.frameAncestors
  return `frame-ancestors ${origins.join(' ')}`
}
