declare module 'spdx-satisfies' {
  /** Throws where the expression is not SPDX. */
  export default function satisfies(expression: string, permitted: readonly string[]): boolean
}
