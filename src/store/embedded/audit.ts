import { checkpointsMost } from '../store.ts'
import type { AuditEntry, Store } from '../store.ts'

type AuditPart = Pick<
  Store,
  'keepCheckpoint' | 'listCheckpoints' | 'addAuditLines' | 'readAuditLines'
>

/** In one process there is nobody else to tell; it is kept all the same, so that both stores are one contract. */
export function auditPart(): AuditPart {
  const notes = new Map<string, string>()
  let entries: AuditEntry[] = []
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
    addAuditLines: async (lines, most) => {
      entries = [...entries, ...lines.map((line) => ({ id: String((last += 1)), line }))]
      if (entries.length > most) entries = entries.slice(-most)
    },
    readAuditLines: async (after, limit) =>
      entries.filter(({ id }) => Number(id) > Number(after ?? 0)).slice(0, limit),
  }
}

const countOf = (note: string): number => Number(/^[^\n]*\n(\d+)\n/.exec(note)?.[1] ?? 0)
