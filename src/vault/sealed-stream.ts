import type { AuditEntry, Store } from '../store/store.ts'
import type { KeyRing } from './key-ring.ts'

/**
 * The store with its audit streams sealed: audit lines name the workforce users who looked, and a dump of the store
 * names nobody. A text that does not open is empty, which no reader takes for a record.
 */
export function sealAuditStream(store: Store, keyRing: KeyRing): Store {
  const opener =
    (name: string) =>
    ({ id, text }: AuditEntry): AuditEntry => {
      const opened = keyRing.open('audit', name, text)
      return { id, text: opened.ok ? opened.text : '' }
    }
  return {
    ...store,
    addAuditBatches: (batches, most) =>
      store.addAuditBatches(
        batches.map(({ text, lines }) => ({ text: keyRing.seal('audit', batchName, text), lines })),
        most,
      ),
    readAuditBatches: async (after, limit) =>
      (await store.readAuditBatches(after, limit)).map(opener(batchName)),
    readAuditLines: async (after, limit) =>
      (await store.readAuditLines(after, limit)).map(opener(lineName)),
  }
}

const batchName = 'audit:batches'
const lineName = 'audit'
