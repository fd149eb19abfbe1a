import type { Audit, AuditEvent } from '../audit/event.ts'
import type { Store } from '../store/store.ts'
import type { LaunchRecord } from '../vault/record.ts'
import type { Vault } from '../vault/vault.ts'
import { countsOfEvent, countsOfRecord } from './matrix-counts.ts'

/**
 * The launch matrix: what real launches have shown of each tenant and mode. Counted in memory and written now and
 * then, off the way of every request; what could not be written waits, within a bound, and its loss harms nobody.
 */
export interface Matrix {
  /** Hears what the audit hears. */
  heard(event: AuditEvent): void
  /** A launch began: what its tokens are like. */
  began(record: LaunchRecord): void
  /** The same audit, heard: the count comes after the record, and neither delays nor stops it. */
  listening<Kind extends Audit>(audit: Kind): Kind
  /** The same vault; what it creates is counted. */
  watching<Kind extends Pick<Vault, 'create'>>(vault: Kind): Kind
  flush(): Promise<void>
  /** Writes what is left. */
  stop(): Promise<void>
}

export interface MatrixDeps {
  readonly store: Pick<Store, 'addToMatrix'>
  readonly flushMs?: number
}

/** A year and a month without a launch, and the mode is forgotten. */
const lifeMs = 395 * 24 * 60 * 60 * 1000
const flushMsDefault = 5_000
/** For one mode, by far: seven members, its scopes, three words for each type. */
const fieldsMax = 2_000

export function createMatrix(deps: MatrixDeps): Matrix {
  const waiting = new Map<string, Waiting>()
  const add = (
    tenant: string | undefined,
    mode: string | undefined,
    names: readonly string[],
  ): void => {
    if (tenant === undefined || mode === undefined || names.length === 0) return
    const key = `${tenant}:${mode}`
    const counts = waiting.get(key)?.counts ?? new Map<string, number>()
    waiting.set(key, { tenant, mode, counts })
    for (const name of names) {
      if (counts.size < fieldsMax || counts.has(name)) counts.set(name, (counts.get(name) ?? 0) + 1)
    }
  }

  const flush = async (): Promise<void> => {
    const batch = new Map(waiting)
    waiting.clear()
    for (const { tenant, mode, counts } of batch.values()) {
      try {
        // oxlint-disable-next-line no-await-in-loop -- a few modes, and nobody waits
        await deps.store.addToMatrix({ tenant, mode }, counts, lifeMs)
      } catch {
        for (const [name, count] of counts) addBack(waiting, { tenant, mode }, name, count)
      }
    }
  }

  let underway = Promise.resolve()
  const timer = setInterval(() => {
    underway = underway.then(flush)
  }, deps.flushMs ?? flushMsDefault)
  timer.unref()

  const heard = (event: AuditEvent): void => add(event.tenant, event.mode, countsOfEvent(event))
  const began = (record: LaunchRecord): void =>
    add(record.tenant, record.mode, countsOfRecord(record))

  return {
    heard,
    began,
    listening: (audit) => ({
      ...audit,
      record: async (event) => {
        await audit.record(event)
        heard(event)
      },
    }),
    watching: (vault) => ({
      ...vault,
      create: async (key, record) => {
        const created = await vault.create(key, record)
        if (created) began(record)
        return created
      },
    }),
    flush: () => (underway = underway.then(flush)),
    stop: async () => {
      clearInterval(timer)
      await (underway = underway.then(flush))
    },
  }
}

interface Waiting {
  readonly tenant: string
  readonly mode: string
  readonly counts: Map<string, number>
}

function addBack(
  waiting: Map<string, Waiting>,
  { tenant, mode }: Omit<Waiting, 'counts'>,
  name: string,
  count: number,
): void {
  const key = `${tenant}:${mode}`
  const counts = waiting.get(key)?.counts ?? new Map<string, number>()
  waiting.set(key, { tenant, mode, counts })
  if (counts.size < fieldsMax || counts.has(name)) counts.set(name, (counts.get(name) ?? 0) + count)
}
