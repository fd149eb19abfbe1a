import { SmartBffError } from '../../errors.ts'
import type { StoredLaunch, UntoldEnd } from '../store.ts'

/** What a record holds: text, or a launch. A session's text is '' once it has ended. */
type Value = string | HeldLaunch

/** With what stands aside until its end has been told. */
export interface HeldLaunch extends StoredLaunch {
  readonly untold?: Omit<UntoldEnd, 'ended'> | undefined
}

/** The records of the embedded store by name, each until its time is over. */
export interface Table {
  text(name: string): string | undefined
  launch(name: string): HeldLaunch | undefined
  set(name: string, value: Value, expiresAt: number): void
  /** Keeps the expiry. */
  change(name: string, value: Value): void
  prolong(name: string, expiresAt: number): void
  expiresAt(name: string): number
  delete(name: string): void
  now(): number
}

export function createTable(now: () => number, maxRecords: number): Table {
  const records = new Map<string, { value: Value; expiresAt: number }>()
  const live = (name: string) => {
    const record = records.get(name)
    return record !== undefined && record.expiresAt > now() ? record : undefined
  }
  const makeRoom = (): void => {
    if (records.size < maxRecords) return
    for (const [name, record] of records) if (record.expiresAt <= now()) records.delete(name)
    if (records.size >= maxRecords) {
      throw new SmartBffError('STORE_UNAVAILABLE', { detail: 'embedded store: full' })
    }
  }
  const read = (name: string): Value | undefined => live(name)?.value

  return {
    now,
    text: (name) => {
      const value = read(name)
      return typeof value === 'string' ? value : undefined
    },
    launch: (name) => {
      const value = read(name)
      return typeof value === 'string' ? undefined : value
    },
    set: (name, value, expiresAt) => {
      if (!records.has(name)) makeRoom()
      records.set(name, { value, expiresAt })
    },
    change: (name, value) => {
      const record = live(name)
      if (record !== undefined) record.value = value
    },
    prolong: (name, expiresAt) => {
      const record = live(name)
      if (record !== undefined) record.expiresAt = Math.max(record.expiresAt, expiresAt)
    },
    expiresAt: (name) => live(name)?.expiresAt ?? 0,
    delete: (name) => records.delete(name),
  }
}
