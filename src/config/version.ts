import { readFileSync } from 'node:fs'

/** The product's version, from its package.json: two folders up from src/config and from dist/config alike. */
export function productVersion(): string {
  const text = readFileSync(new URL('../../package.json', import.meta.url), 'utf8')
  return /"version": "([^"]+)"/.exec(text)?.[1] ?? 'unknown'
}
