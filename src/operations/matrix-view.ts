import type { Config } from '../config/schema/config.ts'
import type { Store } from '../store/store.ts'

/** What real launches of one mode have shown, for people: `smart-bff matrix` and the staff site. */
export interface MatrixView {
  readonly tenant: string
  readonly mode: string
  readonly launches: number
  /** Code exchanges, of which some did not become a launch. */
  readonly exchanges: number
  readonly failures: number
  /** How often each came. */
  readonly context: Counts
  readonly granted: Counts
  /** Asked for and not given. */
  readonly withheld: Counts
  /** Launches in which the EHR gave more than was asked. */
  readonly added: number
  /** `with` or `without`. */
  readonly refresh: Counts
  /** Of access tokens. */
  readonly lifetime: Counts
  readonly user: Counts
  readonly types: Readonly<Record<string, { answered: number; refused: number; failed: number }>>
}

export type Counts = Readonly<Record<string, number>>

/** `with` and `without` as a sentence has them: "given always", "not given 2 of 9". */
export const givenOrNot = ({ with: given, without }: Counts): Counts => ({
  ...(given && { given }),
  ...(without && { 'not given': without }),
})

export async function readMatrix(
  store: Pick<Store, 'readMatrix'>,
  { tenants }: Pick<Config, 'tenants'>,
  tenant?: string,
): Promise<readonly MatrixView[]> {
  const places = tenants
    .filter(({ id }) => tenant === undefined || id === tenant)
    .flatMap(({ id, modes }) => modes.map((mode) => ({ tenant: id, mode: mode.id })))
  return Promise.all(
    places.map(async (place) => ({ ...place, ...matrixView(await store.readMatrix(place)) })),
  )
}

/** Counters by name, as src/operations/matrix-counts.ts writes them. */
export function matrixView(
  counters: ReadonlyMap<string, number>,
): Omit<MatrixView, 'tenant' | 'mode'> {
  const under = (prefix: string): Counts =>
    Object.fromEntries(
      [...counters]
        .filter(([name]) => name.startsWith(`${prefix}:`))
        .map(([name, count]) => [name.slice(prefix.length + 1), count] as const)
        .toSorted(([one], [other]) => (one < other ? -1 : 1)),
    )
  const single = (name: string): number => counters.get(name) ?? 0
  return {
    launches: single('launches'),
    exchanges: single('exchanges'),
    failures: single('failures'),
    context: under('context'),
    granted: under('granted'),
    withheld: under('withheld'),
    added: single('added'),
    refresh: under('refresh'),
    lifetime: under('lifetime'),
    user: under('user'),
    types: typesOf(under('type')),
  }
}

function typesOf(counts: Counts): MatrixView['types'] {
  const names = new Set(Object.keys(counts).map((name) => name.split(':')[0] ?? name))
  return Object.fromEntries(
    [...names].map((name) => {
      const count = (word: string): number => counts[`${name}:${word}`] ?? 0
      return [
        name,
        { answered: count('answered'), refused: count('refused'), failed: count('failed') },
      ]
    }),
  )
}
