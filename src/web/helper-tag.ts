/** The browser helper in every HTML document, so that no app can forget it (DESIGN, `app.helper: inject`). */
export const helperTag = '<script type="module" src="/smart-bff.js"></script>'

/** After the `<head>` tag that is not in a comment; without one, where the parser would begin the head. */
export function injectHelper(html: string): string {
  const place =
    endOf(html, /<!--|<head(?:\s[^<>]*)?>/gi) ??
    endOf(html, /<!--|<html(?:\s[^<>]*)?>/gi) ??
    endOf(html, /<!--|<!doctype[^<>]*>/gi) ??
    0
  return html.slice(0, place) + helperTag + html.slice(place)
}

/** The end of the first tag outside of comments. */
function endOf(html: string, tag: RegExp): number | undefined {
  for (let match = tag.exec(html); match !== null; match = tag.exec(html)) {
    if (match[0] !== '<!--') return tag.lastIndex
    const end = html.indexOf('-->', tag.lastIndex)
    if (end < 0) return undefined
    tag.lastIndex = end + 3
  }
  return undefined
}
