import type { AuditEvent } from '../audit/event.ts'
import type { Store } from '../store/store.ts'
import type { LaunchRecord } from '../vault/record.ts'
import type { Vault } from '../vault/vault.ts'
import { createCounters } from './counters.ts'
import { countsOfEvent, countsOfRecord } from './matrix-counts.ts'
import { createScopeUse } from './scope-use.ts'
import type { ScopeUseDeps } from './scope-use.ts'

/**
 * The launch matrix: what real launches have shown of each tenant and mode.
 */
export interface Matrix {
  /** Hears what the audit hears. */
  heard(event: AuditEvent): void
  /** A launch began: what its tokens are like. */
  began(record: LaunchRecord): void
  /** The same vault; what it creates is counted. */
  watching<Kind extends Pick<Vault, 'create'>>(vault: Kind): Kind
  flush(): Promise<void>
  /** Writes what is left. */
  stop(): Promise<void>
}

export interface MatrixDeps {
  readonly store: Pick<Store, 'addToMatrix'>
  readonly flushMs?: number
  /** Counts the use of scopes too. */
  readonly scopes?: Pick<ScopeUseDeps, 'tenants' | 'now'>
}

/** A year and a month without a launch, and the mode is forgotten. */
const lifeMs = 395 * 24 * 60 * 60 * 1000

export function createMatrix({ store, flushMs, scopes }: MatrixDeps): Matrix {
  const counters = createCounters({ store, lifeMs, flushMs })
  const scopeUse = scopes && createScopeUse({ store, flushMs, ...scopes })
  const add = (
    tenant: string | undefined,
    mode: string | undefined,
    names: readonly string[],
  ): void => {
    if (tenant === undefined || mode === undefined || names.length === 0) return
    counters.add({ tenant, mode }, names)
  }

  const heard = (event: AuditEvent): void => {
    add(event.tenant, event.mode, countsOfEvent(event))
    scopeUse?.heard(event)
  }
  const began = (record: LaunchRecord): void =>
    add(record.tenant, record.mode, countsOfRecord(record))

  return {
    heard,
    began,
    watching: (vault) => ({
      ...vault,
      create: async (key, record) => {
        const created = await vault.create(key, record)
        if (created) began(record)
        return created
      },
    }),
    flush: async () => {
      await Promise.all([counters.flush(), scopeUse?.flush()])
    },
    stop: async () => {
      await Promise.all([counters.stop(), scopeUse?.stop()])
    },
  }
}
