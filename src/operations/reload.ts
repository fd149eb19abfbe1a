import { createSecureContext, Server as TlsServer } from 'node:tls'
import { type Path, spell } from '../config/fault.ts'
import { type Renewal, together } from '../config/renewable.ts'
import type { Config } from '../config/schema/config.ts'
import { Secret } from '../config/secret.ts'
import type { Log } from './log.ts'
import type { Metrics } from './metrics.ts'

/**
 * A changed configuration while the process runs (SIGHUP). Taken over is what ends or is rotated while a process lives
 * (certificates, keys, client secrets), and what somebody needs at once (a tenant's pause, its support text, limits, the
 * log's level). Everything else needs a restart, one replica after the other, which costs no user his launch; it is
 * refused whole and by name, so that a process never runs half of a file.
 */
export interface Reload {
  /** The keys that were applied, or those that stand in the way. Throws where a part cannot be made of it. */
  readonly reload: (
    next: Config,
  ) => Promise<{ readonly applied: boolean; readonly keys: readonly string[] }>
  /** Of a file with so many faults there is nothing to apply; that it was refused is told like any other refusal. */
  readonly reloadRefused: (faults: number) => void
}

export interface ReloadDeps {
  readonly config: Config
  readonly log: Log
  readonly metrics: Pick<Metrics, 'reload'>
  /** Each takes over its part of the configuration. */
  readonly renewals: readonly Renewal<Config>[]
  readonly listeners: () => readonly Listener[]
  /** The audit says with which configuration this process goes on. */
  readonly record: (config: Config) => Promise<void>
}

export interface Listener {
  readonly server: unknown
  readonly tls: (config: Config) => { readonly cert: Secret; readonly key: Secret } | undefined
}

const reloadable = [
  /^logging\.level$/,
  /^(operations\.(staff\.)?)?listen\.tls\.(cert|key)$/,
  /^rateLimits\.\w+$/,
  /^keys\.(encryption|session)($|\[)/,
  /^tenants\[\d+\]\.(paused|support(\.text)?|client\.secret|client\.keys($|\[\d+\]\.\w+))$/,
]

export function createReload(deps: ReloadDeps): Reload {
  let running = deps.config
  /** Each way of refusing counts: the alert is for whoever believes that the new file is in force. */
  const refused = (reason: 'faults' | 'needs_restart' | 'failed', count: number): void => {
    deps.metrics.reload('refused')
    deps.log.error({ event: 'config.refused', reason, count })
  }
  const reload: Reload['reload'] = async (next) => {
    const keys = changedKeys(running, next)
    const standing = [
      ...keys.filter((key) => !reloadable.some((form) => form.test(key))),
      ...lostKeys(running, next),
    ]
    if (standing.length > 0) {
      refused('needs_restart', standing.length)
      return { applied: false, keys: standing }
    }
    try {
      // All or nothing: what cannot be made of the new configuration throws here, before anything has changed.
      const put = together([...deps.renewals, certificatesOf(deps.listeners())])(next)
      await deps.record(next)
      put()
    } catch (error) {
      refused('failed', keys.length)
      throw error
    }
    deps.metrics.reload('applied')
    deps.log.setLevel(next.logging.level)
    running = next
    deps.log.info({ event: 'config.reloaded', count: keys.length })
    return { applied: true, keys }
  }
  return { reload, reloadRefused: (faults) => refused('faults', faults) }
}

/**
 * The key that this process seals or signs with now must stay among those of the next list, and a name its key: what was
 * sealed a moment ago must open.
 */
function lostKeys({ keys: before }: Config, { keys: after }: Config): string[] {
  const [sealing] = before.encryption
  const [signing] = before.session
  const secretOf = (id: string | undefined): string | undefined =>
    after.encryption.find((one) => one.id === id)?.secret.reveal()
  const renamed = before.encryption.some(
    ({ id, secret }) => (secretOf(id) ?? secret.reveal()) !== secret.reveal(),
  )
  return [
    ...(secretOf(sealing?.id) === undefined || renamed ? ['keys.encryption'] : []),
    ...(after.session.some((one) => one.reveal() === signing?.reveal()) ? [] : ['keys.session']),
  ]
}

/** Connections that are open keep what they have; the next ones meet the new certificate. */
const certificatesOf =
  (listeners: readonly Listener[]): Renewal<Config> =>
  (next) => {
    const ready = listeners.flatMap(({ server, tls }) => {
      const files = tls(next)
      if (files === undefined || !(server instanceof TlsServer)) return []
      const pair = { cert: files.cert.reveal(), key: files.key.reveal() }
      // Throws where the two do not fit.
      createSecureContext(pair)
      return [() => server.setSecureContext({ ...pair, minVersion: 'TLSv1.2' })]
    })
    return () => {
      for (const put of ready) put()
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
