/** Makes ready what the next configuration needs, or throws; what it answers puts that in place, and cannot fail. */
export type Renewal<C> = (next: C) => () => void

/**
 * A part that is made of the configuration, and made anew when the process is told of another one. Whoever holds `part`
 * always asks the present one, so that a reload is a change in one place and not in everybody who was given the part.
 */
export interface Renewable<C, T> {
  readonly part: T
  readonly renew: Renewal<C>
}

type AnyFunction = (...args: unknown[]) => unknown

/** `make` answers an object of functions. */
export function renewable<C, T extends object>(config: C, make: (config: C) => T): Renewable<C, T> {
  const first: [string, AnyFunction][] = Object.entries(make(config))
  /** Each function in a place of its own: found anew by its name with every call it would cost more. */
  const places = first.map(([name, present]) => ({ name, present }))
  const functions = places.map((place) => [
    place.name,
    (...args: unknown[]): unknown => place.present(...args),
  ])
  return {
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- each function of T, under its own name
    part: Object.fromEntries(functions) as T,
    renew: (next) => {
      const made = new Map<string, AnyFunction>(Object.entries(make(next)))
      const ready = places.map((place) => {
        const present = made.get(place.name)
        // Otherwise one of the configuration before would go on unseen.
        if (present === undefined) throw new TypeError(`without ${place.name}`)
        return { place, present }
      })
      return () => {
        for (const { place, present } of ready) place.present = present
      }
    },
  }
}

/** Several as one: all are made ready before the first is put in place. */
export const together =
  <C>(renewals: readonly Renewal<C>[]): Renewal<C> =>
  (next) => {
    const ready = renewals.map((renew) => renew(next))
    return () => {
      for (const put of ready) put()
    }
  }
