/** Members of a line, each as it is written. None of these can emit a character that JSON would have to escape. */

/** What does not fit: the record stands, the text does not. */
export const unknown = '?'
const maxListed = 100

export function word(name: string, value: string | undefined, form: RegExp): string {
  return value === undefined ? '' : `,"${name}":"${fit(value, form)}"`
}

export function listed(name: string, value: string | undefined, list: ReadonlySet<string>): string {
  return value === undefined ? '' : `,"${name}":"${oneOf(value, list)}"`
}

/** The list holds the words as JSON strings, for they may be any text the deployment chose. */
export function configured(
  name: string,
  value: string | undefined,
  list: ReadonlyMap<string, string>,
): string {
  return value === undefined ? '' : `,"${name}":${list.get(value) ?? `"${unknown}"`}`
}

export function number(
  name: string,
  value: number | undefined,
  most = Number.MAX_SAFE_INTEGER,
): string {
  if (value === undefined) return ''
  const whole = Math.round(value)
  return `,"${name}":${whole >= 0 && whole <= most ? String(whole) : '-1'}`
}

export function array(name: string, words: readonly string[]): string {
  let list = ''
  for (const text of words) list += list === '' ? `"${text}"` : `,"${text}"`
  return `,"${name}":[${list}]`
}

export function fit(value: string, form: RegExp): string {
  return form.test(value) ? value : unknown
}

export function oneOf(value: string, list: ReadonlySet<string>): string {
  return list.has(value) ? value : unknown
}

export function bounded<T>(items: readonly T[]): readonly T[] {
  return items.length > maxListed ? items.slice(0, maxListed) : items
}
