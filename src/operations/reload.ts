import { Server as TlsServer } from 'node:tls'
import { type Path, spell } from '../config/fault.ts'
import type { Config } from '../config/schema/config.ts'
import { Secret } from '../config/secret.ts'
import type { Log } from './log.ts'
import type { Metrics } from './metrics.ts'

/**
 * A changed configuration while the process runs (SIGHUP). Safe are the application log's level and the certificates of
 * our listeners, which end while a process lives. Everything else needs a restart, one replica after the other, which
 * costs no user his launch; it is refused whole and by name, so that a process never runs half of a file.
 */
export interface Reload {
  /** The keys that were applied, or those that stand in the way. */
  (next: Config): Promise<{ readonly applied: boolean; readonly keys: readonly string[] }>
}

export interface ReloadDeps {
  readonly config: Config
  readonly log: Log
  readonly metrics: Pick<Metrics, 'reload'>
  readonly listeners: () => readonly Listener[]
  /** The audit says with which configuration this process goes on. */
  readonly record: (config: Config) => Promise<void>
}

export interface Listener {
  readonly server: unknown
  readonly tls: (config: Config) => { readonly cert: Secret; readonly key: Secret } | undefined
}

const reloadable = /^(logging\.level|(operations\.(staff\.)?)?listen\.tls\.(cert|key))$/

export function createReload(deps: ReloadDeps): Reload {
  let running = deps.config
  return async (next) => {
    const keys = changedKeys(running, next)
    const standing = keys.filter((key) => !reloadable.test(key))
    const applied = standing.length === 0
    deps.metrics.reload(applied ? 'applied' : 'refused')
    if (!applied) {
      deps.log.error({ event: 'config.refused', reason: 'needs_restart', count: standing.length })
      return { applied, keys: standing }
    }
    await deps.record(next)
    deps.log.setLevel(next.logging.level)
    for (const { server, tls } of deps.listeners()) {
      const files = tls(next)
      if (files === undefined || !(server instanceof TlsServer)) continue
      server.setSecureContext({
        cert: files.cert.reveal(),
        key: files.key.reveal(),
        minVersion: 'TLSv1.2',
      })
    }
    running = next
    deps.log.info({ event: 'config.reloaded', count: keys.length })
    return { applied, keys }
  }
}

/** Every place at which the two differ, spelled as in the file; a list that grew counts as itself. */
export function changedKeys(before: unknown, after: unknown, path: Path = []): string[] {
  if (before instanceof Secret && after instanceof Secret) {
    return before.reveal() === after.reveal() ? [] : [spell(path)]
  }
  if (!isTree(before) || !isTree(after) || Array.isArray(before) !== Array.isArray(after)) {
    return Object.is(before, after) ? [] : [spell(path)]
  }
  const isList = Array.isArray(before)
  if (isList && Object.keys(before).length !== Object.keys(after).length) return [spell(path)]
  return [...new Set([...Object.keys(before), ...Object.keys(after)])].flatMap((key) =>
    changedKeys(Reflect.get(before, key), Reflect.get(after, key), [
      ...path,
      isList ? Number(key) : key,
    ]),
  )
}

const isTree = (value: unknown): value is object =>
  typeof value === 'object' && value !== null && !(value instanceof Secret)
