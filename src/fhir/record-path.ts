import { isId } from '../smart/interactions.ts'
import { resourceTypes } from '../smart/tables/resource-types.ts'

/** `/Type/id` or `/Type/id/_history/version`. */
export function isRecordPath(path: string): boolean {
  const slash = path.indexOf('/', 1)
  if (slash === -1 || !path.startsWith('/') || !resourceTypes.has(path.slice(1, slash)))
    return false
  const next = path.indexOf('/', slash + 1)
  if (next === -1) return isId(path.slice(slash + 1))
  if (!path.startsWith(history, next)) return false
  return isId(path.slice(slash + 1, next)) && isId(path.slice(next + history.length))
}

const history = '/_history/'
