import { z } from 'zod'
import { text } from './common.ts'

/** One rule of a mode's allowlist. Every rule names the feature that needs it (DESIGN.md, Configuration). */

const interactionCodes = [
  'read',
  'vread',
  'history-instance',
  'history-type',
  'create',
  'update',
  'patch',
  'delete',
  'search-type',
] as const

const resourceType = z
  .string()
  .regex(/^[A-Z][A-Za-z]{1,63}$/, 'a FHIR resource type, such as Observation')

/** A search parameter by name, with its modifier where one is allowed: `code`, `_sort`, `code:in`. */
const searchParameter = z
  .string()
  .regex(
    /^[_A-Za-z][A-Za-z0-9_-]{0,63}(:[A-Za-z-]{1,32})?$/,
    'a search parameter, such as code or _sort',
  )

/** `Observation:encounter`: the include's source type and parameter, optionally its target type. */
const includePath = z
  .string()
  .regex(
    /^[A-Z][A-Za-z]+:[A-Za-z-]+(:[A-Z][A-Za-z]+)?$/,
    'Type:parameter, such as Observation:encounter',
  )

const operationPath = z
  .string()
  .regex(
    /^([A-Z][A-Za-z]+\/)?\$[a-z][A-Za-z0-9-]{0,63}$/,
    '$name or Type/$name, such as Patient/$everything',
  )

const optionalFlag = z.boolean().optional()

const resourceRule = z.strictObject({
  feature: text,
  resource: resourceType,
  interactions: z.array(z.enum(interactionCodes)).min(1),
  search: z.array(searchParameter).default([]),
  include: z.array(includePath).default([]),
  upsert: optionalFlag,
  unversioned: optionalFlag,
  validate: optionalFlag,
  confirm: optionalFlag,
  withoutPatient: optionalFlag,
})

const operationRule = z.strictObject({
  feature: text,
  operation: operationPath,
  parameters: z.array(searchParameter).default([]),
  withoutPatient: optionalFlag,
})

const bundleRule = z.strictObject({
  feature: text,
  bundle: z.array(z.enum(['batch', 'transaction'])).min(1),
})

export const rule = z.union([resourceRule, operationRule, bundleRule])

export type ResourceRule = z.output<typeof resourceRule>
export type OperationRule = z.output<typeof operationRule>
export type Rule = z.output<typeof rule>
