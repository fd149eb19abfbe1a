import type { Config } from './schema/config.ts'
import { isPlainMap, type PlainMap } from './tree.ts'
import { Secret } from './secret.ts'

/** The configuration as it is in force, defaults included, with every secret replaced by a tag: for staff and `check`. */
export const effectiveConfig = (config: Config): PlainMap => replaceInMap({ ...config })

const replaceInMap = (map: PlainMap): PlainMap =>
  Object.fromEntries(
    Object.entries(map).flatMap(([key, item]) =>
      item === undefined ? [] : [[key, replaceSecrets(item)]],
    ),
  )

function replaceSecrets(value: unknown): unknown {
  if (value instanceof Secret) return value.toString()
  if (Array.isArray(value)) return value.map(replaceSecrets)
  return isPlainMap(value) ? replaceInMap(value) : value
}
