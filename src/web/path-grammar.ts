/**
 * The strict path grammar of /app and /assets: plain segments, judged on the raw bytes. Whatever is percent-encoded,
 * hidden (a leading dot), empty in the middle, or climbs is no path of ours, so that nothing needs decoding twice.
 */
export interface FilePath {
  /** Without a slash at either end; '' is the root. */
  readonly path: string
  /** Lower case and without its dot; '' where the last segment has none. */
  readonly extension: string
}

const segmentPattern = /^[A-Za-z0-9_~@+-][A-Za-z0-9._~@+-]{0,127}$/
const segmentsMax = 16

/** The part of the raw URL after `prefix`; undefined where it does not start so or breaks the grammar. */
export function parseFilePath(rawUrl: string, prefix: string): FilePath | undefined {
  const raw = rawUrl.split('?', 1)[0] ?? ''
  if (!raw.startsWith(prefix)) return undefined
  const path = raw.slice(prefix.length).replace(/\/$/, '')
  const segments = path === '' ? [] : path.split('/')
  if (segments.length > segmentsMax) return undefined
  if (!segments.every((segment) => segmentPattern.test(segment))) return undefined
  const last = segments.at(-1) ?? ''
  const dot = last.lastIndexOf('.')
  return { path, extension: dot < 0 ? '' : last.slice(dot + 1).toLowerCase() }
}

/**
 * Whether a file's name holds a hash of its content, as bundlers write it (`index-B7x2Kq9Z.js`,
 * `main.8c1f0e2d.css`). Cautious: a hash that is not recognised costs a question to the server, a word taken for a
 * hash would keep an old app in browsers for a year.
 */
export function hasContentHash(path: string): boolean {
  const part = /[.-]([A-Za-z0-9_]{8,64})\.[a-z0-9]+(?:\.map)?$/.exec(path)?.[1]
  if (part === undefined || !/\d/.test(part)) return false
  if (/^[0-9a-f]+$/.test(part)) return /[a-f]/.test(part)
  return part.length === 8 && countTurns(part) >= 4
}

/** How often the kind of character (upper case, lower case, digit) changes. */
function countTurns(text: string): number {
  const kinds = Array.from(text, (char) =>
    /\d/.test(char) ? 0 : char === char.toLowerCase() ? 1 : 2,
  )
  return kinds.filter((kind, index) => index > 0 && kind !== kinds[index - 1]).length
}
