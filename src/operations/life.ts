import type { FastifyInstance } from 'fastify'
import { setTimeout } from 'node:timers/promises'
import type { Audit } from '../audit/event.ts'
import type { Renewal } from '../config/renewable.ts'
import type { Config } from '../config/schema/config.ts'
import { productVersion } from '../config/version.ts'
import type { KeyRing } from '../vault/key-ring.ts'
import type { Health } from './health.ts'
import type { ApplicationLog } from './log.ts'
import type { Metrics } from './metrics.ts'
import { createReload, type Reload } from './reload.ts'
import { checkKeys, storeMissing } from './start-checks.ts'
import type { StoreFaults } from './store-faults.ts'

/**
 * The life of the process: what starts after what, what is stopped before what. The probes first, so that they can say
 * `starting`; the public listener when the checks have succeeded; `ready` when all is open. On the way out the other way
 * round, the audit last.
 */
export interface Life extends Reload {
  /** Throws what a start can meet; `stop` then closes what is open already. */
  start(): Promise<{ public: string; operations: string }>
  stop(): Promise<void>
  /** An error that nobody caught, told without its words: an EHR's answer may stand in them (DESIGN rule 9). */
  crashed(error: unknown): void
}

export interface LifeParts {
  readonly config: Config
  readonly log: ApplicationLog
  readonly health: Health
  readonly audit: Audit
  readonly keyRing: KeyRing
  readonly storeFaults: StoreFaults
  readonly operations: FastifyInstance
  readonly server: FastifyInstance
  readonly staff:
    { start(): Promise<void>; close(): Promise<void>; readonly ownServer: unknown } | undefined
  readonly metrics: Pick<Metrics, 'reload'>
  readonly recordConfiguration: (config: Config) => Promise<void>
  /** What of the parts a reload makes anew. */
  readonly renewals: readonly Renewal<Config>[]
  /** Work that nobody asks for. */
  readonly workers: readonly { start(): void; stop(): void | Promise<void> }[]
  /** What is closed after the public listener, in this order. */
  readonly connections: readonly { close(): Promise<void> }[]
  /** The audit and what it needs: always the last. */
  readonly closeGround: () => Promise<void>
}

/** A store that does not answer for so long ends the start; whoever started the process starts it again. */
const startLimitMs = 5_000

export function createLife(parts: LifeParts): Life {
  const { config, log, health, audit, operations, server, staff, workers } = parts
  let serving = false
  return {
    start: async () => {
      checkKeys(parts.keyRing, config.keys)
      const { host, port } = config.operations.listen
      const probes = await operations.listen({ host, port })
      await health.start()
      if (!(await health.succeeds(startLimitMs))) {
        throw storeMissing(config.store, parts.storeFaults.last())
      }
      const open = await server.listen({ host: config.listen.host, port: config.listen.port })
      await staff?.start()
      await parts.recordConfiguration(config)
      await audit.record({ event: 'process.started', outcome: 'success', actor: 'system' })
      serving = true
      health.opened()
      log.info({
        event: 'process.started',
        version: productVersion(),
        node: process.version,
        development: config.development,
        tenants: config.tenants.length,
      })
      for (const worker of workers) worker.start()
      return { public: open, operations: probes }
    },
    ...createReload({
      config,
      log,
      metrics: parts.metrics,
      record: parts.recordConfiguration,
      renewals: parts.renewals,
      listeners: () => [
        { server: server.server, tls: ({ listen }) => listen.tls },
        { server: operations.server, tls: ({ operations: own }) => own.listen.tls },
        { server: staff?.ownServer, tls: ({ operations: own }) => own.staff?.listen?.tls },
      ],
    }),
    stop: async () => {
      const startedAt = performance.now()
      health.drain()
      log.info({ event: 'process.draining' })
      // Still answering, each answer with `Connection: close`, until every load balancer has looked.
      if (serving) await setTimeout(config.drainSeconds * 1000)
      try {
        await server.close()
        await inTurn(workers, (worker) => worker.stop())
        await inTurn(parts.connections, (one) => one.close())
        if (serving) {
          await audit.record({ event: 'process.stopped', outcome: 'success', actor: 'system' })
        }
        await operations.close()
        await staff?.close()
      } finally {
        log.info({ event: 'process.stopped', ms: Math.round(performance.now() - startedAt) })
        await parts.closeGround()
      }
    },
    crashed: (error) => log.lastWords({ event: 'process.crashed', error }),
  }
}

async function inTurn<T>(list: readonly T[], act: (one: T) => void | Promise<void>): Promise<void> {
  // oxlint-disable-next-line no-await-in-loop -- one after the other is the point
  for (const one of list) await act(one)
}
