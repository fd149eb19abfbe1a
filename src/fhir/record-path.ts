import { isId } from '../smart/interactions.ts'
import { resourceTypes } from '../smart/tables/resource-types.ts'

/** `/Type/id` or `/Type/id/_history/version`. */
export function isRecordPath(path: string): boolean {
  const [, type = '', id = '', history, version, ...rest] = path.split('/')
  if (!resourceTypes.has(type) || !isId(id) || rest.length > 0) return false
  if (history === undefined) return true
  return history === '_history' && version !== undefined && isId(version)
}
