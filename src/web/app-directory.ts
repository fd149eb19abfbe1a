import { open } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { SmartBffError } from '../errors.ts'
import { type AppSource, maxDocumentBytes } from './app-source.ts'

/**
 * `app.directory`. Paths come from path-grammar.ts and cannot climb. Files are sent by @fastify/static, which must be
 * registered.
 */
export function createAppDirectory(directory: string): AppSource {
  const root = resolve(directory)
  return {
    document: (path) => readDocument(join(root, path)),
    send: async (_request, reply, path) => reply.sendFile(path, root, { cacheControl: false }),
    close: () => Promise.resolve(),
  }
}

async function readDocument(path: string): Promise<string | undefined> {
  try {
    await using file = await open(path)
    const { size } = await file.stat()
    if (size > maxDocumentBytes) throw new Error('document too large')
    return await file.readFile('utf8')
  } catch (error) {
    if (isMissing(error)) return undefined
    throw new SmartBffError('APP_UNAVAILABLE', { cause: error })
  }
}

function isMissing(error: unknown): boolean {
  const code = error instanceof Error && 'code' in error ? error.code : undefined
  return code === 'ENOENT' || code === 'ENOTDIR' || code === 'EISDIR'
}
