/** Text that is already HTML; everything else is escaped when it is put into a page. */
export interface Html {
  readonly html: string
}

type Part = Html | string | number | undefined | false | readonly Part[]

/** A template whose values are escaped: `` html`<p>${name}</p>` ``. */
export function html(strings: TemplateStringsArray, ...parts: readonly Part[]): Html {
  const text = strings.map((string, index) => string + rendered(parts[index])).join('')
  return { html: text }
}

function rendered(part: Part): string {
  if (part === undefined || part === false) return ''
  if (isList(part)) return part.map(rendered).join('')
  if (typeof part === 'object') return part.html
  return String(part).replace(/[&<>"']/g, (character) => escapes[character] ?? '')
}

const isList = (part: Part): part is readonly Part[] => Array.isArray(part)

const escapes: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
}
