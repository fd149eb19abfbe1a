/**
 * A string as JSON in plain ASCII: every other character is escaped. An audit file is then ASCII throughout, so no
 * character can be mistaken for a line's end by any reader, and lengths in characters are lengths in bytes.
 */
export function asciiJson(text: string): string {
  return JSON.stringify(text).replace(
    /[\u007f-\uffff]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  )
}
