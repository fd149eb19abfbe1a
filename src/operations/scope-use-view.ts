import type { Store } from '../store/store.ts'
import { dayOf, keptDays, setOf } from './scope-use.ts'

/** The scopes of one mode over 90 days, for people. */
export interface ScopeUseView {
  readonly exchanges: number
  readonly scopes: readonly ScopeUseRow[]
}

export interface ScopeUseRow {
  readonly scope: string
  readonly granted: number
  readonly used: number
  /** The hour of the last use, `2026-03-01T14`; undefined without any. */
  readonly lastUsed: string | undefined
  readonly verdict: ScopeVerdict
}

export type ScopeVerdict = 'used' | 'never used' | 'never granted' | 'not asked for' | 'no launches'

const dayMs = 86_400_000

export async function readScopeUse(
  store: Pick<Store, 'readMatrix'>,
  of: { readonly tenant: string; readonly mode: string; readonly scopes: readonly string[] },
  now: number,
): Promise<ScopeUseView> {
  const days = Array.from({ length: keptDays }, (_, back) => dayOf(now - back * dayMs))
  const sets = await Promise.all(
    days.map(async (day) => ({
      day,
      counts: await store.readMatrix({ tenant: of.tenant, mode: setOf(of.mode, day) }),
    })),
  )
  return scopeUseView(sets, of.scopes)
}

function scopeUseView(
  sets: readonly { readonly day: string; readonly counts: ReadonlyMap<string, number> }[],
  asked: readonly string[],
): ScopeUseView {
  const granted = new Map<string, number>()
  const used = new Map<string, { count: number; last: string }>()
  let exchanges = 0
  for (const { day, counts } of sets) {
    for (const [name, count] of counts) {
      const [, hour = '', kind, scope = ''] =
        /^(\d\d):(exchanges|granted|used)(?::(.+))?$/.exec(name) ?? []
      if (kind === 'exchanges') exchanges += count
      if (kind === 'granted') granted.set(scope, (granted.get(scope) ?? 0) + count)
      if (kind === 'used') {
        const known = used.get(scope) ?? { count: 0, last: '' }
        const at = `${day}T${hour}`
        used.set(scope, { count: known.count + count, last: at > known.last ? at : known.last })
      }
    }
  }
  const more = [...granted.keys()].filter((scope) => !asked.includes(scope)).toSorted()
  const rows = [...asked, ...more].map((scope) => {
    const use = used.get(scope)
    const row = {
      scope,
      granted: granted.get(scope) ?? 0,
      used: use?.count ?? 0,
      lastUsed: use?.last,
    }
    return { ...row, verdict: verdictOf(row, asked, exchanges) }
  })
  return { exchanges, scopes: rows }
}

function verdictOf(
  { scope, granted, used }: Omit<ScopeUseRow, 'verdict'>,
  asked: readonly string[],
  exchanges: number,
): ScopeVerdict {
  if (exchanges === 0) return 'no launches'
  if (!asked.includes(scope)) return 'not asked for'
  if (granted === 0) return 'never granted'
  return used === 0 ? 'never used' : 'used'
}
