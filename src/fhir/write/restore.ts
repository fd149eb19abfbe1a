import { isJsonObject } from '../../smart/json.ts'

/**
 * The app knows records and attachments by our URLs, the EHR by its own. Every text that is one of ours goes back as the
 * EHR wrote it, wherever it stands: in a record, or as a value of a patch.
 */
export interface Restorer {
  /** What all of our FHIR URLs begin with, of this launch and of others. */
  readonly ours: string
  /** The EHR's URL for one of ours; undefined for one that means nothing, or something in another launch. */
  restore(url: string): string | undefined
  /** What the handles among them led to so far. */
  readonly attachments: ReadonlySet<string>
}

/** Undefined: one of the texts is a URL of ours that means nothing, or it is too deep, and the whole is refused. */
export function restoreUrls(value: unknown, restorer: Restorer): unknown {
  const state = { lost: false }
  const restored = walk(value, restorer, state, 0)
  return state.lost ? undefined : restored
}

/** Deeper than the guard looks (judge.ts). */
const maxDepth = 100

function walk(
  value: unknown,
  restorer: Restorer,
  state: { lost: boolean },
  depth: number,
): unknown {
  if (typeof value === 'string') {
    if (!value.startsWith(restorer.ours)) return value
    const restored = restorer.restore(value)
    if (restored === undefined) state.lost = true
    return restored
  }
  if (depth > maxDepth) {
    state.lost = true
    return undefined
  }
  if (Array.isArray(value)) {
    return value.map((item: unknown) => walk(item, restorer, state, depth + 1))
  }
  if (!isJsonObject(value) || Object.hasOwn(value, 'rawJSON')) return value
  return Object.fromEntries(
    Object.entries(value).map(([name, inner]) => [name, walk(inner, restorer, state, depth + 1)]),
  )
}
