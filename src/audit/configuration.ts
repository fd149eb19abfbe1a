import { createHmac, hash } from 'node:crypto'
import { readFile, rename, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { z } from 'zod'
import { effectiveConfig } from '../config/effective.ts'
import type { Config } from '../config/schema/config.ts'
import { Secret } from '../config/secret.ts'
import { isMissing } from './checkpoints.ts'
import type { Audit, AuditEvent } from './event.ts'

/**
 * With which configuration and which keys this process runs from now on, and what of them changed since it was said last:
 * `version` is the first 16 hex digits of the hash of the effective configuration, in which secrets are tags. What was
 * is remembered beside the audit files as hashes, those of secrets under a key of their own.
 */
const remembered = z.strictObject({
  sections: z.record(z.string(), z.string()),
  keys: z.record(z.string(), z.string()),
})

type Remembered = z.output<typeof remembered>

export async function recordConfiguration(
  config: Config,
  audit: Pick<Audit, 'record'>,
): Promise<void> {
  const path = join(config.audit.directory, `${config.instance}.configuration`)
  const now: Remembered = { sections: sectionsOf(config), keys: keysOf(config) }
  const before = await readBefore(path)
  const version = short(JSON.stringify(now.sections))
  const common = { outcome: 'success', version, actor: 'system' } as const
  await audit.record({ event: 'config.loaded', ...common })
  if (before !== undefined) {
    const sections = differing(before.sections, now.sections)
    const keys = differing(before.keys, now.keys)
    // Under another signing key all hashes of secrets differ, and nothing can be said of the others.
    const changedKeys = keys.includes('signing') ? ['signing'] : keys
    for (const event of [
      changeOf('config.changed', 'section', sections, common),
      changeOf('keys.changed', 'keys', changedKeys, common),
    ]) {
      if (event !== undefined) await audit.record(event)
    }
  }
  await writeFile(`${path}.new`, `${JSON.stringify(now)}\n`, { mode: 0o600, flush: true })
  await rename(`${path}.new`, path)
}

function changeOf(
  event: 'config.changed' | 'keys.changed',
  name: string,
  changed: readonly string[],
  common: Pick<AuditEvent, 'outcome' | 'version' | 'actor'>,
): AuditEvent | undefined {
  if (changed.length === 0) return undefined
  const parameters = changed.map((value) =>
    value.startsWith('tenant ')
      ? { name: 'tenant', value: value.slice('tenant '.length) }
      : { name, value },
  )
  return { event, ...common, count: changed.length, parameters }
}

async function readBefore(path: string): Promise<Remembered | undefined> {
  try {
    const read = remembered.safeParse(JSON.parse(await readFile(path, 'utf8')))
    return read.success ? read.data : undefined
  } catch (error) {
    if (isMissing(error) || error instanceof SyntaxError) return undefined
    throw error
  }
}

const differing = (a: Remembered['keys'], b: Remembered['keys']): readonly string[] =>
  [...new Set([...Object.keys(a), ...Object.keys(b)])].filter((name) => a[name] !== b[name])

const short = (text: string): string => hash('sha256', text, 'hex').slice(0, 16)

function sectionsOf(config: Config): Remembered['sections'] {
  const { tenants, ...sections } = effectiveConfig(config)
  const named = Array.isArray(tenants)
    ? tenants.map((tenant: unknown) => [`tenant ${String(Object(tenant).id)}`, tenant] as const)
    : []
  return Object.fromEntries(
    [...Object.entries(sections), ...named].map(([name, value]) => [
      name,
      short(JSON.stringify(value)),
    ]),
  )
}

/** Each purpose's keys in their order: another first key is a change too. */
function keysOf({ keys, tenants }: Config): Remembered['keys'] {
  const under = keys.signing.reveal()
  const print = (secrets: unknown): string =>
    createHmac('sha256', under)
      .update(JSON.stringify(revealed(secrets)))
      .digest('hex')
      .slice(0, 16)
  const { signing, ...lists } = keys
  return {
    signing: print(signing),
    ...Object.fromEntries(Object.entries(lists).map(([name, list]) => [name, print(list)])),
    ...Object.fromEntries(tenants.map(({ id, client }) => [`tenant ${id}`, print(client)])),
  }
}

function revealed(value: unknown): unknown {
  if (value instanceof Secret) return value.reveal()
  if (Array.isArray(value)) return value.map(revealed)
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(Object.entries(value).map(([name, item]) => [name, revealed(item)]))
}
