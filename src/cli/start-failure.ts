import { SmartBffError } from '../errors.ts'

/**
 * One sentence for a start that failed because of something outside: a port, a folder, a service. Undefined for
 * anything else, which is a fault of ours and keeps its stack trace.
 */
export function startFailure(error: unknown): string | undefined {
  if (error instanceof SmartBffError) {
    if (error.code === 'INTERNAL') return undefined
    return error.detail === undefined ? error.code : `${error.code}: ${error.detail}`
  }
  if (!isSystemError(error)) return undefined
  const { code, path, address, port, syscall = 'start' } = error
  const place = path ?? (port === undefined ? address : `${address ?? ''}:${port}`)
  const sentence = sentences[code] ?? `${syscall} failed (${code})`
  return place === undefined ? sentence : `${sentence}: ${place}`
}

const sentences: Readonly<Record<string, string>> = {
  EADDRINUSE: 'the port is in use',
  EADDRNOTAVAIL: 'this machine does not have the address',
  EACCES: 'not permitted',
  EPERM: 'not permitted',
  ENOENT: 'does not exist',
  EISDIR: 'a folder, not a file',
  ENOTFILE: 'not a regular file',
  ENOTDIR: 'not a folder',
  EROFS: 'on a read-only file system',
  ENOSPC: 'no space left',
  ECONNREFUSED: 'nothing answers',
  ENOTFOUND: 'the host name is unknown',
  ETIMEDOUT: 'no answer in time',
}

interface SystemError extends Error {
  readonly code: string
  readonly syscall?: string
  readonly path?: string
  readonly address?: string
  readonly port?: number
}

const isSystemError = (error: unknown): error is SystemError =>
  error instanceof Error && 'code' in error && /^E[A-Z]+$/.test(String(error.code))
