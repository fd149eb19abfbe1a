/** What is wrong with a configuration, in the words of the file: which key, what was found, what is expected. */

export type Path = readonly (string | number)[]

/** A finding before its place in the file is known. `found` never holds a secret's value (DESIGN rule 1). */
export interface Finding {
  readonly path: Path
  readonly found: string
  readonly expected: string
}

/** `key` is spelled as in the file: `tenants[0].modes[1].scopes[2]`; empty for the file itself. */
export interface ConfigFault {
  readonly key: string
  readonly line?: number
  readonly found: string
  readonly expected: string
}

/** One fault, one line: `config/smart-bff.yaml:12: tenants[0].iss: found nothing; expected a text`. */
export function formatFault(file: string, fault: ConfigFault): string {
  const place = fault.line === undefined ? file : `${file}:${fault.line}`
  const key = fault.key === '' ? '' : ` ${fault.key}:`
  return oneLine(`${place}:${key} found ${fault.found}; expected ${fault.expected}`)
}

const plainKey = /^[A-Za-z_$][A-Za-z0-9_$-]*$/

export function spell(path: Path): string {
  return path
    .map((part, index) => {
      if (typeof part === 'number') return `[${part}]`
      if (!plainKey.test(part)) return `[${quote(part)}]`
      return index === 0 ? part : `.${part}`
    })
    .join('')
}

const clipCharacters = 80

/** A value as it may be shown: one line, clipped. */
export function quote(value: string): string {
  const clipped = value.length > clipCharacters ? `${value.slice(0, clipCharacters)}...` : value
  return JSON.stringify(clipped)
}

/** Control characters in a key or a value must not begin a line of their own or drive a terminal. */
function oneLine(text: string): string {
  // oxlint-disable-next-line no-control-regex -- control characters are what is looked for
  return text.replaceAll(/[\u0000-\u001f\u007f-\u009f\u2028\u2029]+/g, ' ')
}
