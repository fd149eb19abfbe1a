/** Foreign JSON, looked at member by member. */
export type JsonObject = Readonly<Record<string, unknown>>

export function isJsonObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** Undefined when the text is not JSON or not an object. */
export function parseJsonObject(text: string): JsonObject | undefined {
  try {
    const value: unknown = JSON.parse(text)
    return isJsonObject(value) ? value : undefined
  } catch {
    return undefined
  }
}

const nothingToEscape = /^[\u0020\u0021\u0023-\u005b\u005d-\u007e]*$/

/** What JSON.stringify makes of a text, without its cost for nearly all of them. */
export function quoted(text: string): string {
  return nothingToEscape.test(text) ? `"${text}"` : JSON.stringify(text)
}
