import { randomBytes } from 'node:crypto'
import { z } from 'zod'
import type { Pseudonyms } from '../audit/pseudonyms.ts'
import type { Store } from '../store/store.ts'
import type { KeyRing } from '../vault/key-ring.ts'
import { createKeepers, savedLifeMs } from '../vault/keepers.ts'

/**
 * The searches that a member of the staff keeps. They stand in the store beside the drafts, sealed, under a pseudonym of
 * the member, until a year after the last change; what a search was called is read by nobody else.
 */
export interface SavedSearches {
  list(member: string): Promise<readonly SavedSearch[]>
  /** `false` when there are as many as may be kept, or somebody changed them at the same time. */
  add(member: string, title: string, address: string): Promise<boolean>
  remove(member: string, id: string): Promise<boolean>
}

const savedForm = z.strictObject({ id: z.string(), title: z.string(), address: z.string() })
const savedList = z.array(savedForm)
export type SavedSearch = z.output<typeof savedForm>

const mostSaved = 30

export function createSavedSearches(deps: {
  readonly store: Pick<Store, 'readDraft' | 'replaceDraft'>
  readonly keyRing: KeyRing
  readonly pseudonyms: Pick<Pseudonyms, 'everyUser'>
}): SavedSearches {
  const { store, keyRing, pseudonyms } = deps
  const keepers = createKeepers(deps)
  const namesOf = (member: string): readonly string[] =>
    pseudonyms
      .everyUser('', { issuer: 'staff', subject: member, fhirUser: undefined })
      .map((pseudonym) => `staff:${pseudonym}`)

  /** Under the newest pseudonym, or still under an older one. */
  async function read(member: string) {
    const [first = '', ...older] = namesOf(member)
    for (const name of [first, ...older]) {
      // oxlint-disable-next-line no-await-in-loop -- the second key only where the first finds nothing
      const held = await store.readDraft(name)
      if (held === undefined) continue
      const opened = keyRing.open('staff', `draft:${name}`, held)
      const list = savedList.safeParse(opened.ok ? JSON.parse(opened.text) : [])
      return { first, held: name === first ? held : undefined, list: list.data ?? [] }
    }
    return { first, held: undefined, list: [] }
  }
  async function write(name: string, held: string | undefined, list: readonly SavedSearch[]) {
    if (!(await keepers.enlist(name))) return false
    const sealed = keyRing.seal('staff', `draft:${name}`, JSON.stringify(list))
    return store.replaceDraft(name, held, sealed, savedLifeMs)
  }
  return {
    list: async (member) => (await read(member)).list,
    add: async (member, title, address) => {
      const { first, held, list } = await read(member)
      if (list.length >= mostSaved) return false
      const id = randomBytes(6).toString('hex')
      return write(first, held, [...list, { id, title, address }])
    },
    remove: async (member, id) => {
      const { first, held, list } = await read(member)
      const rest = list.filter((one) => one.id !== id)
      return rest.length < list.length && write(first, held, rest)
    },
  }
}
