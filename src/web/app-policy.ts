import type { Tenant } from '../config/schema/tenant.ts'
import { frameAncestors } from './headers.ts'

/** Everything from this origin, nothing inline, and no request to anywhere else: the app's data cannot be sent away. */
const safeDefault: Readonly<Record<string, readonly string[]>> = {
  'default-src': ["'none'"],
  'script-src': ["'self'"],
  'style-src': ["'self'"],
  'img-src': ["'self'", 'data:', 'blob:'],
  'font-src': ["'self'", 'data:'],
  'connect-src': ["'self'"],
  'media-src': ["'self'", 'blob:'],
  'manifest-src': ["'self'"],
  'worker-src': ["'self'"],
  'object-src': ["'none'"],
  'base-uri': ["'self'"],
  'form-action': ["'self'"],
}

const directivePattern = /^[a-z]+(-[a-z]+)*$/
/** Visible ASCII without comma and semicolon. */
const sourcePattern = /^[\x21-\x2b\x2d-\x3a\x3c-\x7e]{1,500}$/

export interface AppPolicy {
  document(tenant: Tenant): string
  /** For the app's files: a worker takes its policy from its own script. Nothing of them may be framed. */
  readonly script: string
  /** For files that could be opened as a document: they show themselves and run nothing. */
  readonly picture: string
}

/**
 * The app's Content-Security-Policy. `app.csp` widens the default, directive by directive; who may frame the app is the
 * tenant's to say. Throws TypeError where a part cannot stand in the header.
 */
export function createAppPolicy(widened: Readonly<Record<string, readonly string[]>>): AppPolicy {
  assertHeaderSafe(widened)
  const directives = new Set([...Object.keys(safeDefault), ...Object.keys(widened)])
  const common = [...directives]
    .map((directive) => {
      const sources = [...(safeDefault[directive] ?? []), ...(widened[directive] ?? [])]
      // 'none' counts only alone (CSP 3, 6.7.2.3).
      const counted = sources.length > 1 ? sources.filter((source) => source !== "'none'") : sources
      return [directive, ...new Set(counted)].join(' ')
    })
    .join('; ')
  return {
    document: (tenant) => `${common}; ${frameAncestors(tenant)}`,
    script: `${common}; frame-ancestors 'none'`,
    picture: "sandbox; default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'",
  }
}

function assertHeaderSafe(widened: Readonly<Record<string, readonly string[]>>): void {
  for (const [directive, sources] of Object.entries(widened)) {
    if (!directivePattern.test(directive) || directive === 'frame-ancestors') {
      throw new TypeError(`app.csp: ${JSON.stringify(directive)} cannot be widened`)
    }
    const bad = sources.find((source) => !sourcePattern.test(source))
    if (bad !== undefined) throw new TypeError(`app.csp.${directive}: ${JSON.stringify(bad)}`)
  }
}
