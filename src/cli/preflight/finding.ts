/** What preflight found of one thing. */
export interface Finding {
  readonly area: Area
  /** What was looked at: a host, a rule, a scope. */
  readonly subject: string
  /** `warn`: it may work, look at it. `fail`: it will not work. `skip`: it could not be looked at, or need not be. */
  readonly outcome: 'ok' | 'warn' | 'fail' | 'skip'
  /** What was found and, where something is to be done, what. */
  readonly sentence: string
}

export const areas = [
  'TLS',
  'discovery',
  'PKCE',
  'client',
  'keys',
  'redirect',
  'launch',
  'rules',
  'scopes',
] as const

export type Area = (typeof areas)[number]

type Say = (subject: string, sentence: string) => Finding

/** The four outcomes in one area, each a small function. */
export function inArea(area: Area): Readonly<Record<Finding['outcome'], Say>> {
  const say =
    (outcome: Finding['outcome']): Say =>
    (subject, sentence) => ({ area, subject, outcome, sentence })
  return { ok: say('ok'), warn: say('warn'), fail: say('fail'), skip: say('skip') }
}

/** Foreign words in a sentence: short and printable, because they end in a terminal. */
export function quoted(words: readonly string[]): string {
  const most = 12
  const shown = words
    .slice(0, most)
    .map((word) => word.replaceAll(/[^\x20-\x7e]/g, '?').slice(0, 120))
  const rest = words.length > most ? ` and ${words.length - most} more` : ''
  return shown.length === 0 ? 'nothing' : shown.join(', ') + rest
}
