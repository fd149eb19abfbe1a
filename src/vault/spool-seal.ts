import type { SpoolSeal } from '../audit/balp/spool.ts'
import type { KeyRing } from './key-ring.ts'

/** What waits for an audit repository names patients, so it is sealed as tokens are (DESIGN rule 10). */
export function createSpoolSeal(keyRing: KeyRing): SpoolSeal {
  return {
    seal: (name, text) => keyRing.seal('spool', name, text),
    open: (name, box) => {
      const opened = keyRing.open('spool', name, box)
      return opened.ok ? opened.text : undefined
    },
  }
}
