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
  const ours: PageLink[] = []
  for (const link of Array.isArray(list) ? (list as unknown[]) : []) {
    const one = rewriteLink(link, rewriter, links)
    if (one !== undefined) ours.push(one)
  }
  return ours
}

function rewriteLink(link: unknown, rewriter: Rewriter, links: LinkCount): PageLink | undefined {
  if (!isJsonObject(link)) return undefined
  const { relation, url } = link
  if (relation === 'self') return { relation, url: rewriter.self() }
  if (typeof relation !== 'string' || !pageRelations.has(relation)) return undefined
  const ours = typeof url === 'string' ? rewriter.page(url) : undefined
  if (ours !== undefined) return { relation, url: ours }
  links.dropped += 1
  if (relation === 'next') links.nextLost = true
  return undefined
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
