import { z } from 'zod'
import type { Store } from '../store/store.ts'
import type { KeyRing } from './key-ring.ts'
import type { Resealed } from './reseal.ts'

/** Under which names the staff keep searches: a rotation of the key must find those of members who are away. */
export interface Keepers {
  /** Before the searches themselves are written, so that none stands there unlisted. */
  enlist(name: string): Promise<boolean>
  /** What every name holds, and the list itself, under the first key of the ring (DESIGN rule 10). */
  reseal(): Promise<readonly Resealed[]>
}

export const savedLifeMs = 366 * 86_400_000

const listName = 'staff-keepers'
const listForm = z.array(z.string())
const mostKeepers = 2000
const attemptsMax = 5

interface Held {
  readonly held: string | undefined
  readonly names: readonly string[]
}

export function createKeepers(deps: {
  readonly store: Pick<Store, 'readDraft' | 'replaceDraft'>
  readonly keyRing: KeyRing
}): Keepers {
  const { store, keyRing } = deps
  async function read(): Promise<Held> {
    const held = await store.readDraft(listName)
    if (held === undefined) return { held, names: [] }
    const opened = keyRing.open('staff', `draft:${listName}`, held)
    const names = listForm.safeParse(opened.ok ? JSON.parse(opened.text) : [])
    return { held, names: names.data ?? [] }
  }
  async function enlist(name: string, attempt = 1): Promise<boolean> {
    const { held, names } = await read()
    if (!names.includes(name) && names.length >= mostKeepers) return false
    // Written also when the name is in it already: the list lives as long as what it lists.
    const list = JSON.stringify([...new Set([...names, name])])
    const sealed = keyRing.seal('staff', `draft:${listName}`, list)
    if (await store.replaceDraft(listName, held, sealed, savedLifeMs)) return true
    return attempt < attemptsMax && enlist(name, attempt + 1)
  }
  async function resealOne(name: string, attempt = 1): Promise<Resealed> {
    const held = await store.readDraft(name)
    if (held === undefined) return 'gone'
    const opened = keyRing.open('staff', `draft:${name}`, held)
    if (!opened.ok) return 'unreadable'
    if (!opened.stale) return 'fresh'
    const sealed = keyRing.seal('staff', `draft:${name}`, opened.text)
    if (await store.replaceDraft(name, held, sealed, savedLifeMs)) return 'resealed'
    return attempt < attemptsMax ? resealOne(name, attempt + 1) : 'unreadable'
  }
  return {
    enlist: (name) => enlist(name),
    async reseal() {
      const done: Resealed[] = []
      for (const name of [...(await read()).names, listName]) {
        // oxlint-disable-next-line no-await-in-loop -- in the background: one at a time leaves the store to the clinicians
        done.push(await resealOne(name))
      }
      return done
    },
  }
}
