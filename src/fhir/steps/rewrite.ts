import { isJsonObject } from '../../smart/json.ts'
import type { JsonObject } from '../../smart/json.ts'
import { typeOf } from '../judge.ts'
import { rewriteLinks } from '../rewrite-links.ts'
import type { LinkCount } from '../rewrite-links.ts'
import { bundleMembers } from '../guard/members.ts'
import { rewriteBytes } from '../guard/rewrite-bytes.ts'
import type { Allocate } from '../guard/splice.ts'
import type { RewrittenAway } from '../away/messages.ts'
import type { Proved } from '../guard/prove.ts'
import type { JudgedValue } from '../judge-bundle.ts'
import type { Rewriter, Rewritten } from '../rewriter.ts'

/**
 * rewrite: the EHR's URLs become ours where a client follows them, and nothing else is touched: identifier systems,
 * canonical URLs and narrative stay as they are (DESIGN, rewrite; fhir-access-and-audit.md 2.1).
 */
export function rewrite(
  judged: JudgedValue | Proved | RewrittenAway,
  rewriter: Rewriter,
  allocate?: Allocate,
): Rewritten {
  if (judged.kind === 'rewritten') return judged
  if (judged.kind === 'proved') return rewriteBytes(judged, rewriter, allocate)
  const { count, dropped, patients } = judged
  const { value, links } = rewriteValue(judged.value, rewriter)
  const body = Buffer.from(JSON.stringify(value))
  const { dropped: linksDropped, nextLost } = links
  return { body, count, dropped, patients, linksDropped, nextLost }
}

export function rewriteValue(
  value: JsonObject,
  rewriter: Rewriter,
): { value: JsonObject; links: LinkCount } {
  const links: LinkCount = { dropped: 0, nextLost: false }
  return { value: rewriteResource(value, rewriter, links), links }
}

function rewriteResource(resource: JsonObject, rewriter: Rewriter, links: LinkCount): JsonObject {
  if (typeOf(resource) !== 'Bundle') return rewriteObject(resource, rewriter, links)
  const { link, entry, ...rest } = resource
  const known = Object.fromEntries(Object.entries(rest).filter(([name]) => bundleMembers.has(name)))
  const bundle: Record<string, unknown> = { ...rewriteObject(known, rewriter, links) }
  if (link !== undefined) bundle['link'] = rewriteLinks(link, rewriter, links)
  if (Array.isArray(entry)) bundle['entry'] = entry.map((one) => rewriteEntry(one, rewriter, links))
  return bundle
}

function rewriteEntry(entry: unknown, rewriter: Rewriter, links: LinkCount): unknown {
  if (!isJsonObject(entry)) return entry
  const { fullUrl, resource, response, ...rest } = entry
  return {
    ...(typeof fullUrl === 'string' ? { fullUrl: rewriter.record(fullUrl) ?? fullUrl } : {}),
    ...(isJsonObject(resource) ? { resource: rewriteResource(resource, rewriter, links) } : {}),
    ...rewriteObject(rest, rewriter, links),
    ...(response === undefined ? {} : { response: rewriteResponse(response, rewriter, links) }),
  }
}

/** `entry.response.location` is treated as the header of that name: ours, or left out. */
function rewriteResponse(response: unknown, rewriter: Rewriter, links: LinkCount): unknown {
  const { location, ...rest } = isJsonObject(response) ? response : {}
  if (typeof location !== 'string') return rewriteMember('response', response, rewriter, links)
  const ours = rewriter.location(location)
  return {
    ...rewriteObject(rest, rewriter, links),
    ...(ours === undefined ? {} : { location: ours }),
  }
}

function rewriteObject(object: JsonObject, rewriter: Rewriter, links: LinkCount): JsonObject {
  const result: Record<string, unknown> = {}
  for (const [name, value] of Object.entries(object)) {
    // Defined, not assigned: a member named __proto__ stays a member.
    Object.defineProperty(result, name, {
      value:
        name === 'url' && typeof value === 'string'
          ? (rewriter.attachment(value, object['contentType']) ?? value)
          : rewriteMember(name, value, rewriter, links),
      enumerable: true,
      configurable: true,
      writable: true,
    })
  }
  return result
}

function rewriteMember(
  name: string,
  value: unknown,
  rewriter: Rewriter,
  links: LinkCount,
): unknown {
  if (typeof value === 'string') {
    return name === 'reference' ? (rewriter.record(value) ?? value) : value
  }
  if (Array.isArray(value)) {
    return value.map((item: unknown) => rewriteMember(name, item, rewriter, links))
  }
  if (!isJsonObject(value) || Object.hasOwn(value, 'rawJSON')) return value
  return rewriteResource(value, rewriter, links)
}
