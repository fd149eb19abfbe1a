import { z } from 'zod'
import { contextNames, interactions } from './known-names.ts'
import { resourceTypes } from '../smart/tables/resource-types.ts'

/**
 * A record as it stands in a file, for whoever reads one: verification, the index, the staff site. Strict: another
 * member, or a member of another form, makes it no record (DESIGN.md, Stored records).
 */
const unknown = z.literal('?')
const hex = (digits: number) => z.string().regex(new RegExp(`^[0-9a-f]{${String(digits)}}$`))
const pseudonym = z.string().regex(/^[A-Za-z0-9_-]{1,32}\.[A-Za-z0-9_-]{22}$/)
const identifier = z
  .string()
  .regex(/^[a-z0-9][a-z0-9-]{0,63}$/)
  .or(unknown)
const among = (words: ReadonlySet<string>) =>
  z
    .string()
    .refine((text) => words.has(text))
    .or(unknown)
/** No space, no quote, no control character: never a sentence. */
const token = (most: number) =>
  z
    .string()
    .regex(/^[\x21\x23-\x5b\x5d-\x7e]+$/)
    .max(most)
const whole = z.int().min(-1)

export const auditRecord = z.strictObject({
  seq: z.int().min(1),
  time: z.iso.datetime({ precision: 3 }),
  event: z.string().regex(/^[a-z]{1,20}\.[a-z_]{1,20}$/),
  outcome: z.enum(['success', 'refused', 'failed']),
  state: z
    .string()
    .regex(/^[a-z_]{1,40}$/)
    .or(unknown)
    .optional(),
  tenant: identifier.optional(),
  mode: identifier.optional(),
  launch: hex(16).optional(),
  request: z
    .string()
    .regex(/^[0-9A-Z]{4}-[0-9A-Z]{4}-[0-9A-Z]{2}$/)
    .or(unknown)
    .optional(),
  client: pseudonym.optional(),
  user: token(400).optional(),
  patient: z.union([pseudonym, z.array(pseudonym).max(5000)]).optional(),
  /** Text of the configuration. */
  rule: z.string().max(200).optional(),
  interaction: among(interactions).optional(),
  /** A type, or a type and a pseudonym. */
  resource: z
    .string()
    .regex(/^[A-Z][A-Za-z]+(?:\/[A-Za-z0-9_-]{1,32}\.[A-Za-z0-9_-]{22})?$/)
    .refine((text) => resourceTypes.has(text.split('/')[0] ?? ''))
    .or(unknown)
    .optional(),
  operation: z
    .string()
    .regex(/^(?:[A-Z][A-Za-z]+\/)?\$[a-z][A-Za-z0-9-]{0,63}$/)
    .or(unknown)
    .optional(),
  parameters: z.array(token(400)).max(100).optional(),
  requested: z
    .string()
    .regex(/^[\x20\x21\x23-\x5b\x5d-\x7e]*$/)
    .optional(),
  granted: z
    .string()
    .regex(/^[\x20\x21\x23-\x5b\x5d-\x7e]*$/)
    .optional(),
  context: z.array(among(contextNames)).max(100).optional(),
  version: z
    .string()
    .regex(/^[A-Za-z0-9.-]{1,64}$/)
    .or(unknown)
    .optional(),
  status: whole.optional(),
  upstreamStatus: whole.optional(),
  count: whole.optional(),
  bytes: whole.optional(),
  ms: whole.optional(),
  reason: z
    .string()
    .regex(/^[A-Za-z][A-Za-z0-9_.]{1,63}$/)
    .or(unknown)
    .optional(),
  actor: z
    .string()
    .regex(/^[a-z]{1,20}$/)
    .or(unknown)
    .optional(),
  instance: z.string().regex(/^[A-Za-z0-9._-]{1,128}$/),
  prev: hex(64),
  hash: hex(64),
})

export type AuditRecord = z.output<typeof auditRecord>
