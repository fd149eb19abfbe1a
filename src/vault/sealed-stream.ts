import type { Store } from '../store/store.ts'
import type { KeyRing } from './key-ring.ts'

/**
 * The store with its `audit` stream sealed: audit lines name the workforce users who looked, and a dump of the store
 * names nobody. A line that does not open is empty, which no reader takes for a record.
 */
export function sealAuditStream(store: Store, keyRing: KeyRing): Store {
  return {
    ...store,
    addAuditLines: (lines, most) =>
      store.addAuditLines(
        lines.map((line) => keyRing.seal('audit', boxName, line)),
        most,
      ),
    readAuditLines: async (after, limit) =>
      (await store.readAuditLines(after, limit)).map(({ id, line }) => {
        const opened = keyRing.open('audit', boxName, line)
        return { id, line: opened.ok ? opened.text : '' }
      }),
  }
}

const boxName = 'audit'
