import { access, constants, mkdir, stat } from 'node:fs/promises'
import { dirname } from 'node:path'

/** A disk that does not answer, a network's say, must end the start with a word and not hold it. */
const limitMs = 5_000

/** Makes the folder where it is missing, and throws the system's own word where it cannot be used. */
export async function prepareFolder(directory: string, mode: number): Promise<void> {
  const made = async (): Promise<void> => {
    await makeFolder(directory, mode)
    await access(directory, constants.R_OK | constants.W_OK | constants.X_OK)
  }
  await inTime(made(), limitMs, directory)
}

/**
 * With every folder above it. Not Node's own recursive mkdir, which asks again for ever where the folder above is there
 * and the system still answers ENOENT, as it does below /proc.
 */
export async function makeFolder(directory: string, mode: number): Promise<void> {
  const above = dirname(directory)
  try {
    await mkdir(directory, { mode })
  } catch (error) {
    const code = Object(error).code
    if (code === 'EEXIST' && (await isFolder(directory))) return
    if (code === 'EEXIST') throw systemFault('ENOTDIR', directory)
    if (code !== 'ENOENT' || above === directory || (await isFolder(above))) throw error
    await makeFolder(above, mode)
    await makeFolder(directory, mode)
  }
}

/** Rejects with ETIMEDOUT when the work takes longer; what hangs goes on hanging, and nobody waits for it. */
export async function inTime(work: Promise<void>, most: number, path: string): Promise<void> {
  const late = Promise.withResolvers<never>()
  const timer = setTimeout(() => {
    late.reject(systemFault('ETIMEDOUT', path))
  }, most)
  try {
    await Promise.race([work, late.promise])
  } finally {
    clearTimeout(timer)
  }
}

const isFolder = async (path: string): Promise<boolean> =>
  (await stat(path).catch(() => undefined))?.isDirectory() === true

const systemFault = (code: string, path: string): Error =>
  Object.assign(new Error(code), { code, path })
