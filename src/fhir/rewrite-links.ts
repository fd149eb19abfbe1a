import { isJsonObject, quoted } from '../smart/json.ts'
import type { Rewriter } from './rewriter.ts'

/** Paging links that led outside the EHR's base, counted for the audit. */
export interface LinkCount {
  dropped: number
  /** The next page's link was one of them. */
  nextLost: boolean
}

export interface PageLink {
  readonly relation: string
  readonly url: string
}

const pageRelations = new Set(['first', 'next', 'prev', 'previous', 'last'])

/** `Bundle.link`: only self and the pages are kept; nobody has decided about other relations. */
export function rewriteLinks(
  list: unknown,
  rewriter: Rewriter,
  links: LinkCount,
): readonly PageLink[] {
  if (!Array.isArray(list)) return []
  return list.flatMap((link: unknown) => {
    const { relation, url } = isJsonObject(link) ? link : {}
    if (relation === 'self') return [{ relation, url: rewriter.self() }]
    if (typeof relation !== 'string' || !pageRelations.has(relation)) return []
    const ours = typeof url === 'string' ? rewriter.page(url) : undefined
    if (ours === undefined) {
      links.dropped += 1
      if (relation === 'next') links.nextLost = true
    }
    return ours === undefined ? [] : [{ relation, url: ours }]
  })
}

/** The same as JSON. */
export function printLinks(list: readonly PageLink[]): string {
  let text = ''
  for (const { relation, url } of list) {
    if (text !== '') text += ','
    text += `{"relation":${quoted(relation)},"url":${quoted(url)}}`
  }
  return `[${text}]`
}
