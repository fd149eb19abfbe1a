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

/** `make` answers an object of functions. */
export function renewable<C, T extends object>(config: C, make: (config: C) => T): Renewable<C, T> {
  let present = make(config)
  const functions = Object.keys(present).map((name) => [
    name,
    (...args: unknown[]): unknown => Object(present)[name](...args),
  ])
  return {
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- each function of T, under its own name
    part: Object.fromEntries(functions) as T,
    renew: (next) => {
      const made = make(next)
      return () => {
        present = made
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
