import type { Draft } from '../draft.ts'
import { type Finding, quote } from '../fault.ts'

/** Without an ancestor no EHR could frame the app; a wildcard may stand for the left labels of a name only. */
export function frameAncestorsGiven({ development, tenants }: Draft): Finding[] {
  return tenants.flatMap(({ index, frameAncestors, modes }) => {
    if (frameAncestors === undefined) return []
    const path = ['tenants', index, 'frameAncestors']
    if (frameAncestors.length > 0) {
      return frameAncestors.flatMap((value, entry) => {
        if (!isWide(new URL(value).hostname)) return []
        const expected = 'an origin, or *. in front of a name of two labels or more'
        return [{ path: [...path, entry], found: quote(value), expected }]
      })
    }
    if (development !== false || !modes.some(({ launch }) => launch === 'ehr')) return []
    const expected = "the origins of the EHR's pages that frame the app"
    return [{ path, found: 'an empty list', expected }]
  })
}

const isWide = (hostname: string): boolean =>
  hostname.includes('*') && !/^\*(\.[^.*]+){2,}$/.test(hostname)

/** Any other keyword, and any scheme alone, lets code run that nobody has named. */
const keywords = new Set(["'self'", "'wasm-unsafe-eval'", "'report-sample'"])
const hashSource = /^'sha(?:256|384|512)-[\w+/-]+={0,2}'$/i
const hostSource = /^(?:https?:\/\/)?([a-z\d.*-]+|\[[a-f\d:]+\])(?::\d{1,5})?(?:\/.*)?$/i

/** A source that lets any script run would undo the policy; images and styles may be wider. */
export function appSourcesNarrow({ app }: Draft): Finding[] {
  const sources = app?.csp['script-src'] ?? []
  return sources.flatMap((source, index) => {
    if (isNarrow(source)) return []
    const expected = "an origin or *. in front of one, 'self', a hash, or 'wasm-unsafe-eval'"
    return [{ path: ['app', 'csp', 'script-src', index], found: quote(source), expected }]
  })
}

/** CSP Level 3, 2.3.1: the grammar of a source expression. */
function isNarrow(source: string): boolean {
  const host = hostSource.exec(source)?.[1]
  if (host !== undefined) return !isWide(host)
  return keywords.has(source.toLowerCase()) || hashSource.test(source)
}
