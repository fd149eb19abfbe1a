import type { z } from 'zod'
import { asList, asMap, type PlainMap } from './tree.ts'
import { type Config, configSchema, keys as keysSchema } from './schema/config.ts'
import {
  type Mode,
  mode as modeSchema,
  tenant as tenantSchema,
  type Tenant,
} from './schema/tenant.ts'

/**
 * The parts of a configuration that are sound by themselves. Relations are judged on these, so that one wrong key does
 * not hide the faults between all others: every fault is named in one run.
 */
export interface Draft extends Partial<Omit<Config, 'keys' | 'tenants'>> {
  readonly keys: Partial<Config['keys']>
  readonly tenants: readonly TenantDraft[]
}

/** `index` is the place in the file's list. */
export interface TenantDraft extends Partial<Omit<Tenant, 'modes'>> {
  readonly index: number
  readonly modes: readonly ModeDraft[]
}

export interface ModeDraft extends Mode {
  readonly index: number
}

export function draftOf(tree: unknown): Draft {
  const root = asMap(tree)
  const { keys: _keys, tenants: _tenants, ...sections } = partsOf(configSchema, root)
  return {
    ...sections,
    keys: partsOf(keysSchema, asMap(root['keys'])),
    tenants: asList(root['tenants']).map(tenantDraft),
  }
}

function tenantDraft(raw: unknown, index: number): TenantDraft {
  const { modes: _modes, ...parts } = partsOf(tenantSchema, asMap(raw))
  const modes = asList(asMap(raw)['modes']).flatMap((entry, modeIndex) => {
    const parsed = modeSchema.safeParse(entry)
    return parsed.success ? [{ ...parsed.data, index: modeIndex }] : []
  })
  return { ...parts, index, modes }
}

function partsOf<S extends z.ZodObject<Record<string, z.ZodType>>>(schema: S, raw: PlainMap) {
  const parts: Record<string, unknown> = {}
  for (const [key, part] of Object.entries(schema.shape)) {
    const parsed = part.safeParse(raw[key])
    if (parsed.success && parsed.data !== undefined) parts[key] = parsed.data
  }
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- each key was parsed by its own part of the shape
  return parts as Partial<z.output<S>>
}
