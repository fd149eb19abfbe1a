import { SmartBffError } from '../errors.ts'
import { parseJsonObject } from '../smart/json.ts'
import { readStyle, type Style } from '../smart/style.ts'
import type { EhrHttp } from './http.ts'
import type { ResolvedQuirks } from './quirks.ts'

/**
 * The EHR's style sheet, fetched by the server so that the app's policy need not allow the EHR's hosts. Only from
 * hosts that the tenant lists (`quirks.styleHosts`), without redirects, and never at the cost of the launch: where it
 * does not come in time, the app has its own look.
 */
export interface Styles {
  /** Null without a URL, from another host, or where nothing usable came. Never throws. */
  read(url: string | undefined): Promise<Style | null>
}

export interface StylesDeps {
  readonly quirks: ResolvedQuirks
  readonly http: EhrHttp
  readonly now: () => number
}

const timeoutMs = 2_000
const documentBytesMax = 16_384
/** The URL is the version: an EHR whose style changes gives another URL (SMART App Launch 2.2, smart_style_url). */
const keepMs = 86_400_000
const keepFaultMs = 300_000
const keptMax = 100

interface Kept {
  readonly style: Promise<Style | null>
  until: number
}

export function createStyles({ quirks, http, now }: StylesDeps): Styles {
  const kept = new Map<string, Kept>()

  const start = (url: URL): Kept => {
    const entry: Kept = {
      until: now() + keepMs,
      style: fetchStyle(http, url).catch(() => {
        entry.until = now() + keepFaultMs
        return null
      }),
    }
    const oldest = kept.size >= keptMax ? kept.keys().next().value : undefined
    if (oldest !== undefined) kept.delete(oldest)
    kept.set(url.href, entry)
    return entry
  }

  return {
    read: async (text) => {
      const url = text === undefined ? null : URL.parse(text)
      if (url === null || !quirks.styleHosts.includes(url.host)) return null
      const known = kept.get(url.href)
      if (known !== undefined && now() < known.until) return known.style
      kept.delete(url.href)
      return start(url).style
    },
  }
}

async function fetchStyle(http: EhrHttp, url: URL): Promise<Style> {
  const headers = { accept: 'application/json' }
  const limits = { timeoutMs, answerBytesMax: documentBytesMax }
  const answer = await http.send({ url, method: 'GET', headers, ...limits })
  const document = answer.status === 200 ? parseJsonObject(answer.body) : undefined
  if (document === undefined) throw new SmartBffError('EHR_UNREACHABLE', { detail: 'style' })
  return readStyle(document)
}
