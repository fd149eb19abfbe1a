import type { LaunchKey, Store } from '../store.ts'

/** The texts of the table that writes need. */
interface Texts {
  text(name: string): string | undefined
  set(name: string, value: string, expiresAt: number): void
  delete(name: string): void
  now(): number
}

/** What is remembered for the sake of writes, in memory. */
export function writesPart(
  table: Texts,
): Pick<
  Store,
  'claimIdempotent' | 'putIdempotent' | 'deleteIdempotent' | 'putConfirmation' | 'takeConfirmation'
> {
  return {
    claimIdempotent: async (session, name, text, lifeMs) => {
      const held = table.text(keyOf(session, name))
      if (held === undefined) table.set(keyOf(session, name), text, table.now() + lifeMs)
      return held
    },

    putIdempotent: async (session, name, text, lifeMs) =>
      table.set(keyOf(session, name), text, table.now() + lifeMs),

    deleteIdempotent: async (session, name, held) => {
      if (table.text(keyOf(session, name)) === held) table.delete(keyOf(session, name))
    },

    putConfirmation: async (of, text, lifeMs) =>
      table.set(confirmed(of), text, table.now() + lifeMs),

    takeConfirmation: async (of) => {
      const text = table.text(confirmed(of))
      table.delete(confirmed(of))
      return text
    },
  }
}

const keyOf = (session: string, name: string): string => `idempotent:${session}:${name}`
const confirmed = ({ session, launch }: LaunchKey): string => `confirmed:${session}:${launch}`
