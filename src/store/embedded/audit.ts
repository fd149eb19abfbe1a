import { checkpointsMost } from '../store.ts'
import type { AuditBatch, AuditEntry, Store } from '../store.ts'

type AuditPart = Pick<
  Store,
  'keepCheckpoint' | 'listCheckpoints' | 'addAuditBatches' | 'readAuditBatches' | 'readAuditLines'
>

/** In one process there is nobody else to tell; it is kept all the same, so that both stores are one contract. */
export function auditPart(): AuditPart {
  const notes = new Map<string, string>()
  let entries: (AuditEntry & AuditBatch)[] = []
  let last = 0
  return {
    keepCheckpoint: async (instance, note) => {
      const held = notes.get(instance)
      const fewer = held !== undefined && countOf(held) > countOf(note)
      if (notes.size >= checkpointsMost && (held === undefined || fewer)) return false
      if (fewer) notes.set(`${instance}#${String(countOf(held))}`, held)
      notes.set(instance, note)
      return true
    },
    listCheckpoints: async () => [...notes.values()],
    addAuditBatches: async (batches, most) => {
      entries.push(...batches.map((batch) => ({ id: String((last += 1)), ...batch })))
      let held = entries.reduce((sum, { lines }) => sum + lines, 0)
      const first = entries.findIndex(({ lines }) => (held -= lines) < most)
      entries = entries.slice(first)
    },
    readAuditBatches: async (after, limit) =>
      entries
        .filter(({ id }) => Number(id) > Number(after ?? 0))
        .slice(0, limit)
        .map(({ id, text }) => ({ id, text })),
    readAuditLines: async () => [],
  }
}

const countOf = (note: string): number => Number(/^[^\n]*\n(\d+)\n/.exec(note)?.[1] ?? 0)
