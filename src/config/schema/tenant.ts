import { z } from 'zod'
import {
  identifier,
  keyId,
  origin,
  outbound,
  secretHeader,
  secretText,
  text,
  webUrl,
} from './common.ts'
import { rule } from './rule.ts'

/** One tenant: a hospital's EHR, the client registered there, and the modes in which the app may be launched. */

export const vendors = [
  'generic',
  'epic',
  'oracle',
  'athena',
  'veradigm',
  'meditech',
  'medplum',
] as const

export const assertionAlgorithms = ['ES384', 'RS384', 'ES256', 'RS256'] as const

const clientKey = z.strictObject({
  kid: keyId,
  alg: z.enum(assertionAlgorithms),
  /** PKCS#8 PEM or a private JWK. */
  key: secretText,
})

const clientId = z.string().min(1).max(512)

const client = z.discriminatedUnion('auth', [
  z.strictObject({ id: clientId, auth: z.literal('none') }),
  z.strictObject({ id: clientId, auth: z.literal('client_secret_basic'), secret: secretText }),
  z.strictObject({ id: clientId, auth: z.literal('client_secret_post'), secret: secretText }),
  z.strictObject({
    id: clientId,
    auth: z.literal('private_key_jwt'),
    /** The first signs; all are published (publish before use, keep after). */
    keys: z.array(clientKey).min(1).max(8),
  }),
])

export const mode = z.strictObject({
  id: identifier,
  launch: z.enum(['ehr', 'standalone']),
  user: z.enum(['practitioner', 'patient', 'any']),
  patient: z.enum(['required', 'optional', 'none']),
  scopes: z
    .array(
      z
        .string()
        .min(1)
        .max(500)
        .regex(/^[!#-[\]-~]+$/, 'one scope, as RFC 6749 spells it'),
    )
    .min(1)
    .max(500),
  allow: z.array(rule).max(500),
})

const quirks = z.strictObject({
  idTokenIssuers: z.array(z.string().min(1)).optional(),
  authorizeMethod: z.enum(['get', 'post', 'post-ehr-launch']).optional(),
  nonce: z.boolean().optional(),
  endpoints: z
    .strictObject({
      authorization: webUrl.optional(),
      token: webUrl.optional(),
      jwks: webUrl.optional(),
      revocation: webUrl.optional(),
      introspection: webUrl.optional(),
      issuer: z.string().min(1).optional(),
    })
    .optional(),
  discoveryHeaders: z.record(z.string().regex(/^[A-Za-z0-9-]+$/), secretHeader).optional(),
  scopeVersion: z.enum(['v1', 'v2']).optional(),
  basicEncoding: z.enum(['raw', 'form']).optional(),
  assertionAudience: z.string().min(1).optional(),
  includeJku: z.boolean().optional(),
  minRefreshSeconds: z.int().min(0).max(3600).optional(),
  finalRefreshErrors: z
    .array(z.string().regex(/^[a-z_]{1,64}$/, 'an OAuth error code'))
    .max(20)
    .optional(),
  allowHttp2: z.boolean().optional(),
  patientFallback: z.enum(['none', 'fhirUser']).optional(),
  callbackIss: z.enum(['required', 'optional']).optional(),
  introspection: z.boolean().optional(),
  jwksClientId: z.boolean().optional(),
  /** Host names as they stand in a URL, with the port where it is not 443. */
  styleHosts: z
    .array(z.string().regex(/^[a-z0-9.-]{1,253}(:\d{1,5})?$/, 'a host name in lower case'))
    .max(20)
    .optional(),
})

const upstream = z
  .strictObject({
    timeoutMs: z.int().min(100).max(120_000).default(15_000),
    connections: z.int().min(1).max(1024).default(64),
    maxBodyBytes: z.int().min(1024).max(268_435_456).default(20_971_520),
    circuit: z
      .strictObject({
        failures: z.int().min(1).max(1000).default(10),
        openSeconds: z.int().min(1).max(600).default(15),
      })
      .prefault({}),
    ...outbound,
  })
  .prefault({})

export const tenant = z.strictObject({
  id: identifier,
  name: z.string().min(1).max(200),
  /** Compared byte for byte with the launch's iss, and sent byte for byte as aud (DESIGN rule 3). */
  iss: webUrl.refine((value) => !value.includes('?'), {
    message: 'a FHIR base URL without a query',
  }),
  vendor: z.enum(vendors).default('generic'),
  fhirVersion: z.enum(['R4', 'R4B']).default('R4'),
  /** Closes the tenant for maintenance with a page that shows this text. */
  paused: text.optional(),
  client,
  redirectPath: z
    .string()
    .regex(/^\/callback(\/[a-z0-9-]{1,64})?$/, '/callback or /callback/<name>')
    .optional(),
  frameAncestors: z.array(origin).max(50).default([]),
  onNewPatient: z.enum(['parallel', 'supersede']).optional(),
  support: z.strictObject({ text }).optional(),
  modes: z.array(mode).min(1).max(20),
  upstream,
  guard: z.enum(['refuse', 'drop']).default('refuse'),
  quirks: quirks.prefault({}),
})

export type Vendor = (typeof vendors)[number]
export type Mode = z.output<typeof mode>
export type Tenant = z.output<typeof tenant>
export type Client = Tenant['client']
/** The path of the tenant's redirect URI; the default names the tenant (DESIGN.md, Configuration). */
export const redirectPathOf = (of: Pick<Tenant, 'id' | 'redirectPath'>): string =>
  of.redirectPath ?? `/callback/${of.id}`

export type Quirks = Tenant['quirks']
