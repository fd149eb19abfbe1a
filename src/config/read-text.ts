import { closeSync, constants, fstatSync, openSync, readFileSync } from 'node:fs'

/**
 * The text of a file of the start: the configuration, a secret, a key. Opened without waiting, because a named pipe that
 * nobody writes into, or a device, would otherwise hold the process for ever, and no timer fires in a read that waits.
 */
export function readText(path: string): string {
  const file = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK)
  try {
    const status = fstatSync(file)
    if (status.isDirectory()) throw fault('EISDIR', path)
    if (!status.isFile()) throw fault('ENOTFILE', path)
    return readFileSync(file, 'utf8')
  } finally {
    closeSync(file)
  }
}

/** In the form of the system's own errors; it has no word for what is there and is no file. */
const fault = (code: string, path: string): Error =>
  Object.assign(new Error(`${code}: ${path}`), { code, path })
