/** What can be asked of the index. Everything is bound as a parameter; nothing becomes part of a statement. */
export interface AuditQuery {
  /** Pseudonyms; any of them, because a patient has one under each key. */
  readonly patients?: readonly string[] | undefined
  /** Names or pseudonyms; any of them. */
  readonly users?: readonly string[] | undefined
  readonly launch?: string | undefined
  /** Any of them. */
  readonly launches?: readonly string[] | undefined
  readonly request?: string | undefined
  readonly tenant?: string | undefined
  readonly outcome?: string | undefined
  readonly event?: string | undefined
  /** Any of them. */
  readonly events?: readonly string[] | undefined
  readonly resource?: string | undefined
  /** Milliseconds since the epoch; `to` is not included. */
  readonly from?: number | undefined
  readonly to?: number | undefined
  readonly order: 'newest' | 'oldest' | 'denied_first'
  readonly limit: number
  /** Of the page before. */
  readonly after?: Cursor | undefined
}

export interface Cursor {
  readonly denied: number
  readonly at: number
  readonly id: number
}

export interface Statement {
  readonly sql: string
  readonly values: readonly (string | number)[]
}

const columns = ['launch', 'request', 'tenant', 'outcome', 'event', 'resource'] as const
/** Of one list; what is more is not looked for. */
export const mostValues = 64

export function searchStatement(query: AuditQuery): Statement {
  const events = query.events ?? (query.event === undefined ? undefined : [query.event])
  if (query.order === 'denied_first' && events !== undefined && !isNarrow(query)) {
    return deniedFirst(query, events)
  }
  const { clauses, values } = conditions(query)
  const { where, bound } = afterCursor(query)
  const sql = `SELECT r.id, r.at, r.denied, r.line ${source(query, [...clauses, ...where])} ORDER BY ${orders[query.order]} LIMIT ?`
  return { sql, values: [...values, ...bound, query.limit] }
}

/** Few fit, whatever their event. */
const isNarrow = ({ patients, users, launch, launches, request }: AuditQuery): boolean =>
  [patients, users, launch, launches, request].some((one) => one !== undefined)

/**
 * The first page of what happened in a day is asked for most. Of several events SQLite would sort all there are; so
 * each event, denied and not, gives its newest from its own place in the index, and only those are sorted.
 */
function deniedFirst(query: AuditQuery, events: readonly string[]): Statement {
  const { after, limit, outcome } = query
  const both = after?.denied === 0 || outcome === 'success' ? [0] : [1, 0]
  const wanted = outcome === 'refused' || outcome === 'failed' ? both.filter(Boolean) : both
  const parts = events.slice(0, mostValues).flatMap((event) =>
    wanted.map((denied): Statement => {
      const { clauses, values } = conditions({ ...query, events: undefined, event })
      const sameCursor = after?.denied === denied ? after : undefined
      const { where, bound } = afterCursor({ after: sameCursor, order: 'newest' })
      const all = [...clauses, 'r.denied = ?', ...where].join(' AND ')
      return {
        sql: `SELECT * FROM (SELECT r.id, r.at, r.denied, r.line FROM records r WHERE ${all} ORDER BY ${orders.newest} LIMIT ?)`,
        values: [...values, denied, ...bound, limit],
      }
    }),
  )
  if (parts.length === 0) return { sql: 'SELECT 1 WHERE 0', values: [] }
  return {
    sql: `${parts.map(({ sql }) => sql).join(' UNION ALL ')} ORDER BY denied DESC, at DESC, id DESC LIMIT ?`,
    values: [...parts.flatMap(({ values }) => values), limit],
  }
}

/** How many there are, up to the limit: what is more is not counted. */
export function countStatement(query: AuditQuery): Statement {
  const { clauses, values } = conditions(query)
  const sql = `SELECT count(*) AS n FROM (SELECT 1 ${source(query, clauses)} LIMIT ?)`
  return { sql, values: [...values, query.limit] }
}

/**
 * Who stands in the records that are found: one row for each user and tenant, who came last first. A request counts once,
 * however many records it left: its intent and its outcome, and one for each entry of a batch. A write that was not
 * saved is no access; its intent alone may have been.
 */
export function peopleStatement(query: AuditQuery): Statement {
  const { clauses, values } = conditions(query)
  const request = 'coalesce(r.request, r.id)'
  const sql =
    `SELECT r.user AS user, r.tenant AS tenant, count(DISTINCT ${request}) AS requests,` +
    ' count(DISTINCT r.launch) AS launches,' +
    ` count(DISTINCT CASE WHEN r.event IN ('fhir.intended','fhir.written','fhir.uncertain') THEN ${request} END) AS writes,` +
    ` min(r.at) AS first, max(r.at) AS last ${source(query, [...clauses, 'r.user IS NOT NULL', notRefused])}` +
    ' GROUP BY 1, 2 ORDER BY last DESC LIMIT ?'
  return { sql, values: [...values, query.limit] }
}

const notRefused =
  "NOT (r.event = 'fhir.intended' AND EXISTS (SELECT 1 FROM records o" +
  " WHERE o.request = r.request AND +o.event IN ('fhir.refused','fhir.failed')))"

export interface PersonRow {
  readonly user: string
  readonly tenant: string | undefined
  readonly requests: number
  readonly launches: number
  readonly writes: number
  readonly first: number
  readonly last: number
}

function source({ patients }: AuditQuery, clauses: readonly string[]): string {
  const table =
    patients === undefined ? 'records r' : 'patients p CROSS JOIN records r ON r.id = p.record'
  return `FROM ${table}${clauses.length === 0 ? '' : ` WHERE ${clauses.join(' AND ')}`}`
}

const orders: Readonly<Record<AuditQuery['order'], string>> = {
  newest: 'r.at DESC, r.id DESC',
  oldest: 'r.at, r.id',
  denied_first: 'r.denied DESC, r.at DESC, r.id DESC',
}

/** A row value comparison follows the order that an index has. */
function afterCursor({ after, order }: Pick<AuditQuery, 'after' | 'order'>): {
  where: string[]
  bound: number[]
} {
  if (after === undefined) return { where: [], bound: [] }
  const { denied, at, id } = after
  if (order === 'newest') return { where: ['(r.at, r.id) < (?, ?)'], bound: [at, id] }
  if (order === 'oldest') return { where: ['(r.at, r.id) > (?, ?)'], bound: [at, id] }
  return { where: ['(r.denied, r.at, r.id) < (?, ?, ?)'], bound: [denied, at, id] }
}

function conditions(query: AuditQuery): { clauses: string[]; values: (string | number)[] } {
  const clauses: string[] = []
  const values: (string | number)[] = []
  const anyOf = (column: string, list: readonly string[]): void => {
    const few = list.slice(0, mostValues)
    clauses.push(`${column} IN (${few.map(() => '?').join(',')})`)
    values.push(...few)
  }
  if (query.patients !== undefined) anyOf('p.pseudonym', query.patients)
  if (query.users !== undefined) anyOf('r.user', query.users)
  if (query.launches !== undefined) anyOf('r.launch', query.launches)
  if (query.events !== undefined) anyOf('r.event', query.events)
  for (const column of columns) {
    const value = query[column]
    if (value === undefined) continue
    clauses.push(`r.${column} = ?`)
    values.push(value)
  }
  // The few that were denied have an index of their own.
  if (query.outcome === 'refused' || query.outcome === 'failed') clauses.push('r.denied = 1')
  const timeColumn = query.patients === undefined ? 'r.at' : 'p.at'
  if (query.from !== undefined) {
    clauses.push(`${timeColumn} >= ?`)
    values.push(query.from)
  }
  if (query.to !== undefined) {
    clauses.push(`${timeColumn} < ?`)
    values.push(query.to)
  }
  return { clauses, values }
}
