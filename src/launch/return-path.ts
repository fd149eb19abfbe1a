import { parseFilePath } from '../web/path-grammar.ts'

/** However deep an app is, its address is shorter. */
const longest = 1024

/** RFC 3986 3.4 and 3.5, without the quotation mark that some put into scripts. */
const querySafe = /^(?:\?[A-Za-z0-9\-._~!$&()*+,;=:@/?%]*)?(?:#[A-Za-z0-9\-._~!$&()*+,;=:@/?%]*)?$/

/**
 * Where a document of the app is, below `/app/<launch>/`: what a new authorization leads back to. Only ever written
 * behind that prefix, and by the grammar of the app's own paths, so that it leads nowhere else. Undefined for anything
 * else: then the app begins at its start.
 */
export function readReturnPath(value: unknown): string | undefined {
  if (typeof value !== 'string' || value.length > longest) return undefined
  const [, path = '', rest = ''] = /^([^?#]*)(.*)$/s.exec(value) ?? []
  if (parseFilePath(`/${path}`, '/') === undefined || path.startsWith('/')) return undefined
  return querySafe.test(rest) ? path + rest : undefined
}

export const appAddress = (launch: string, returnTo: unknown): string =>
  `/app/${launch}/${readReturnPath(returnTo) ?? ''}`
