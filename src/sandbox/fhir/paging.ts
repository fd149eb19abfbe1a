import { randomUUID } from 'node:crypto'
import type { Bundle } from './types.ts'

/**
 * How next links look (fhir-access-and-audit.md 2.2): `offset` keeps the query and adds `_offset`; `hapi` points at the
 * base with an opaque id and names neither type nor patient; `opaque` keeps the path and hides the query, as Oracle
 * does; `relative` has no host; `foreign` is a trap that points at another origin.
 */
export type PagingStyle = 'offset' | 'hapi' | 'opaque' | 'relative' | 'foreign'

export interface Paging {
  /** The query with its page size settled. */
  limited(query: URLSearchParams): URLSearchParams
  links(bundle: Bundle, target: string, query: URLSearchParams): NonNullable<Bundle['link']>
  /** The search behind an opaque link; undefined where the request is no such link. */
  resume(query: URLSearchParams): Resumed | 'unknown' | undefined
  /** Forgets every held page, as a server's expired cursors do. */
  forget(): void
}

export interface Resumed {
  readonly method: string
  readonly target: string
  readonly query: URLSearchParams
}

const maxPageSize = 200
const maxHeldPages = 2_000

export function createPaging(options: {
  base: string
  pageSize: number
  style: () => PagingStyle
}): Paging {
  const held = new Map<string, Resumed>()

  const hold = (target: string, query: URLSearchParams): string => {
    const id = randomUUID()
    held.set(id, { method: 'GET', target, query })
    const [oldest] = held.keys()
    if (held.size > maxHeldPages && oldest !== undefined) held.delete(oldest)
    return id
  }

  const address = (target: string, query: URLSearchParams): string => {
    const offset = query.get('_offset') ?? '0'
    const count = query.get('_count') ?? String(options.pageSize)
    switch (options.style()) {
      case 'offset':
        return `${options.base}${target}?${query.toString()}`
      case 'relative':
        return `${target.slice(1)}?${query.toString()}`
      case 'hapi': {
        const id = hold(target, query)
        return `${options.base}?_getpages=${id}&_getpagesoffset=${offset}&_count=${count}&_bundletype=searchset`
      }
      case 'opaque': {
        const id = hold(target, query)
        return `${options.base}${target}?-pageContext=${id}&-pageDirection=NEXT`
      }
      case 'foreign':
        return `http://other.invalid/fhir/r4${target}?${query.toString()}`
    }
  }

  return {
    limited(query) {
      const asked = Number(query.get('_count') ?? options.pageSize)
      const size =
        Number.isInteger(asked) && asked >= 0 ? Math.min(asked, maxPageSize) : maxPageSize
      const settled = new URLSearchParams(query)
      // A count alone has no resources in it (R4 3.1.1.5.6).
      settled.set('_count', query.get('_summary') === 'count' ? '0' : String(size))
      return settled
    },
    links(bundle, target, query) {
      const self = { relation: 'self', url: `${options.base}${target}?${query.toString()}` }
      const count = Number(query.get('_count') ?? bundle.total ?? 0)
      const offset = Number(query.get('_offset') ?? 0)
      const total = bundle.total ?? 0
      const at = (position: number) => {
        const moved = new URLSearchParams(query)
        moved.set('_offset', String(position))
        return address(target, moved)
      }
      return [
        self,
        ...(count > 0 && offset + count < total
          ? [{ relation: 'next', url: at(offset + count) }]
          : []),
        ...(count > 0 && offset > 0
          ? [{ relation: 'previous', url: at(Math.max(0, offset - count)) }]
          : []),
      ]
    },
    resume(query) {
      const id = query.get('_getpages') ?? query.get('-pageContext')
      if (id === null) return undefined
      return held.get(id) ?? 'unknown'
    },
    forget: () => held.clear(),
  }
}
