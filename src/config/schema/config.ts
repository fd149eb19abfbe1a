import { z } from 'zod'
import { audit } from './audit.ts'
import {
  certificateText,
  listen,
  namedKey,
  origin,
  outbound,
  secretKey,
  secretText,
  secretUrl,
  webUrl,
} from './common.ts'
import { tenant } from './tenant.ts'
import { tracing } from './tracing.ts'

/** The whole configuration file. Unknown keys are errors everywhere (DESIGN.md, Configuration). */

const staffUser = z.strictObject({
  name: z.string().min(1).max(100),
  passwordHash: secretText,
  role: z.enum(['auditor', 'operator']),
})

const staff = z.strictObject({
  listen: listen.optional(),
  oidc: z
    .strictObject({
      issuer: webUrl,
      clientId: z.string().min(1),
      clientSecret: secretText,
      ...outbound,
    })
    .optional(),
  roles: z
    .strictObject({
      claim: z.string().min(1),
      auditor: z.array(z.string().min(1)).default([]),
      operator: z.array(z.string().min(1)).default([]),
    })
    .optional(),
  local: z.array(staffUser).optional(),
})

const hostAndPort = z.strictObject({ host: z.string().min(1), port: z.int().min(1).max(65_535) })

const redisCommon = {
  username: z.string().min(1).optional(),
  password: secretText.optional(),
  tls: z
    .strictObject({
      ca: certificateText.optional(),
      cert: certificateText.optional(),
      key: secretText.optional(),
    })
    .optional(),
  launchRecords: z.enum(['packed', 'text']).optional(),
}

const redis = z.union([
  z.strictObject({ url: secretUrl(['redis:', 'rediss:']), ...redisCommon }),
  z.strictObject({
    sentinels: z.array(hostAndPort).min(1),
    name: z.string().min(1),
    ...redisCommon,
  }),
  z.strictObject({ cluster: z.array(hostAndPort).min(1), ...redisCommon }),
])

const store = z.union([z.strictObject({ redis }), z.strictObject({ memory: z.strictObject({}) })])

export const keys = z.strictObject({
  /** The first seals, all open (DESIGN rule 10). */
  encryption: z.array(namedKey).min(1).max(16),
  /** The first signs, all verify. */
  session: z.array(secretKey).min(1).max(16),
  /** The first makes pseudonyms; a search asks under all. */
  pseudonym: z.array(namedKey).min(1).max(16),
  /** Ed25519 private key, PKCS#8 PEM: audit checkpoints. */
  signing: secretText,
})

/** The directives an app may widen; frame-ancestors is the tenant's, the rest stays closed. */
const widenedDirective = z.enum([
  'connect-src',
  'font-src',
  'frame-src',
  'img-src',
  'manifest-src',
  'media-src',
  'script-src',
  'style-src',
  'worker-src',
])

/** One source expression: a space, comma or semicolon would begin another. */
const sourceExpression = z.string().regex(/^[!-+\--:<-~]{1,200}$/, 'one CSP source')

const csp = z.partialRecord(widenedDirective, z.array(sourceExpression).max(50)).default({})

const app = z.union([
  z.strictObject({
    directory: z.string().min(1),
    helper: z.enum(['inject', 'none']).default('inject'),
    csp,
  }),
  z.strictObject({
    upstream: webUrl,
    helper: z.enum(['inject', 'none']).default('inject'),
    csp,
  }),
])

export const configSchema = z.strictObject({
  publicUrl: origin,
  development: z.boolean().default(false),
  listen: listen.prefault({ host: '0.0.0.0', port: 3000 }),
  instance: z
    .string()
    // With `.command` behind it, or an origin in front, it still is a name of a file and a word of the log.
    .regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$/, 'letters, digits, dot, _ and -, at most 100')
    .default('smart-bff'),
  operations: z
    .strictObject({
      listen: listen.prefault({ host: '0.0.0.0', port: 3001 }),
      publicUrl: origin.optional(),
      staff: staff.optional(),
      tracing: tracing.optional(),
    })
    .prefault({}),
  trustProxy: z.array(z.string().min(1)).default([]),
  store,
  keys,
  session: z
    .strictObject({
      idleMinutes: z.int().min(1).max(720).default(15),
      absoluteMinutes: z.int().min(1).max(1440).default(600),
      launchesPerBrowser: z.int().min(1).max(64).default(8),
    })
    .prefault({}),
  app,
  audit,
  rateLimits: z
    .strictObject({
      launchPerMinute: z.int().min(1).max(1_000_000).default(600),
      fhirPerLaunchPerMinute: z.int().min(60).max(10_000_000).default(6000),
    })
    .prefault({}),
  logging: z
    .strictObject({
      level: z.enum(['debug', 'info', 'warn', 'error', 'silent']).default('info'),
    })
    .prefault({}),
  /** After SIGTERM: not ready, but still answering for so long, until every load balancer has looked. */
  drainSeconds: z.int().min(0).max(300).default(0),
  /** After SIGTERM: the whole time to stop in, `drainSeconds` included. Then the process ends as it is. */
  shutdownSeconds: z.int().min(1).max(600).default(9),
  tenants: z.array(tenant).min(1).max(1000),
})

export type Config = z.output<typeof configSchema>
