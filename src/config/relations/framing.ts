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

const wide = new Set(['*', 'http:', 'https:', 'data:', "'unsafe-eval'", "'unsafe-inline'"])

/** A source that lets any script run would undo the policy; images and styles may be wider. */
export function appSourcesNarrow({ app }: Draft): Finding[] {
  const sources = app?.csp['script-src'] ?? []
  return sources.flatMap((source, index) => {
    if (!wide.has(source.toLowerCase())) return []
    const expected = "an origin, 'self', a hash, or 'wasm-unsafe-eval'"
    return [{ path: ['app', 'csp', 'script-src', index], found: quote(source), expected }]
  })
}
