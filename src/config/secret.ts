import { inspect } from 'node:util'

/**
 * A secret string that cannot be printed by accident: JSON, template strings and `inspect` all show a tag.
 * `reveal()` is the one way to the value, so that every use can be found by its name (DESIGN rule 1).
 */
export class Secret {
  readonly #value: string

  constructor(value: string) {
    this.#value = value
  }

  reveal(): string {
    return this.#value
  }

  toString(): string {
    return '[secret]'
  }

  toJSON(): string {
    return '[secret]'
  }

  [inspect.custom](): string {
    return '[secret]'
  }
}
