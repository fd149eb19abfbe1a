import { z } from 'zod'
import { Secret } from '../secret.ts'

/** Small shapes that several parts of the configuration share. A message says what is expected, and no more. */

/**
 * Marks the places of the schema whose value is a secret, so that a fault never shows what was found there
 * (DESIGN rule 1). Both secret shapes below are in it; everything else is not.
 */
export const secretPlaces = z.registry<{ secret: true; mayBeReadByAll?: true }>()

export const identifier = z
  .string()
  .regex(/^[a-z0-9][a-z0-9-]{0,63}$/, 'lower-case letters, digits and hyphens, at most 64')

export const text = z.string().min(1).max(2000)

/** 256 KiB hold a hospital's whole bundle of certificate authorities. */
export const secretText = z
  .string()
  .min(1)
  .max(262_144)
  .transform((value) => new Secret(value))
  .register(secretPlaces, { secret: true })

/** A certificate is shown no more than a secret is, but its file may be read by everybody. */
export const certificateText = z
  .string()
  .min(1)
  .max(262_144)
  .transform((value) => new Secret(value))
  .register(secretPlaces, { secret: true, mayBeReadByAll: true })

/** A header value: visible ASCII and inner spaces, so that it can end no line. */
export const secretHeader = z
  .string()
  .regex(/^[!-~]([ -~]{0,998}[!-~])?$/, 'one line of visible ASCII, at most 1000 characters')
  .transform((value) => new Secret(value))
  .register(secretPlaces, { secret: true })

/** Not too short and not all alike (DESIGN rule 16); 32 random bytes with 8 values or fewer do not happen. */
const looksRandom = (value: string): boolean =>
  /^[A-Za-z0-9_-]{43}$/.test(value) && new Set(Buffer.from(value, 'base64url')).size > 8

/** 32 random bytes in base64url, as `smart-bff keys new` prints them. */
export const secretKey = z
  .string()
  .refine(looksRandom, {
    message: '32 random bytes in base64url, 43 characters and no pattern (smart-bff keys new)',
  })
  .transform((value) => new Secret(value))
  .register(secretPlaces, { secret: true })

export const keyId = z
  .string()
  .regex(/^[A-Za-z0-9_-]{1,32}$/, 'letters, digits, _ and -, at most 32')

export const namedKey = z.strictObject({ id: keyId, secret: secretKey })

const isWebUrl = (value: string): boolean => {
  if (!/^https?:\/\/[!-~]+$/.test(value) || !URL.canParse(value)) return false
  const { username, password, hash } = new URL(value)
  return username === '' && password === '' && hash === ''
}

/** Kept as written, because an iss is compared and sent byte for byte (DESIGN rule 3). */
export const webUrl = z.string().max(2000).refine(isWebUrl, {
  message: 'an http or https URL without user, password, fragment or spaces',
})

/** scheme://host[:port] and nothing more. */
export const origin = z
  .string()
  .max(2000)
  .refine((value) => isWebUrl(value) && new URL(value).origin === value, {
    message: 'scheme, host and port in lower case, without a path or a slash at the end',
  })

/** An http proxy or a Redis address may hold a password, so the whole URL counts as a secret. */
export const secretUrl = (protocols: readonly string[]) =>
  z
    .string()
    .max(2000)
    .refine((value) => URL.canParse(value) && protocols.includes(new URL(value).protocol), {
      message: `a URL that starts with ${protocols.map((name) => `${name}//`).join(' or ')}`,
    })
    .transform((value) => new Secret(value))
    .register(secretPlaces, { secret: true })

export const port = z.int().min(0).max(65_535)

/** TLS on our own listener is for sites without an ingress. */
export const listen = z.strictObject({
  host: z.string().min(1),
  port,
  tls: z.strictObject({ cert: certificateText, key: secretText }).optional(),
})

/** How a server outside is reached: the EHR, the identity provider of the staff. */
export const outbound = {
  proxy: secretUrl(['http:', 'https:']).optional(),
  ca: certificateText.optional(),
  clientCertificate: z.strictObject({ cert: certificateText, key: secretText }).optional(),
}
