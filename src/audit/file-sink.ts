import { close, fdatasync, fsync, ftruncate, open, write } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'

/**
 * One open audit file. An append is whole or not at all: when a write fails half-way the file is cut back to its last
 * good length before anything else is written, so that a full disk never leaves half a record in the middle.
 */
export interface FileSink {
  readonly path: string
  size(): number
  /** ASCII text. Resolves when it is in the file, with `fsync` when it is on the disk. */
  append(text: string): Promise<void>
  close(): Promise<void>
}

export interface FileSinkOptions {
  readonly directory: string
  readonly name: string
  /** Of a file that is continued; 0 for a new one. */
  readonly size: number
  readonly durability: 'write' | 'fsync'
}

const fileMode = 0o640
const openAsync = promisify(open)
const closeAsync = promisify(close)
const syncAsync = promisify(fdatasync)
const syncAllAsync = promisify(fsync)
const truncateAsync = promisify(ftruncate)

export async function openFileSink(options: FileSinkOptions): Promise<FileSink> {
  const path = join(options.directory, options.name)
  const descriptor = await openAsync(path, 'a', fileMode)
  const durable = options.durability === 'fsync'
  if (durable && options.size === 0) await syncDirectory(options.directory)
  let good = options.size
  let dirty = false
  /** Should this fail too, the next append does it before it writes. */
  async function cutBack(): Promise<void> {
    try {
      await truncateAsync(descriptor, good)
      dirty = false
    } catch {
      dirty = true
    }
  }
  return {
    path,
    size: () => good,
    async append(text) {
      if (dirty) await truncateAsync(descriptor, good)
      dirty = true
      try {
        await writeAll(descriptor, text)
        if (durable) await syncAsync(descriptor)
      } catch (error) {
        await cutBack()
        throw error
      }
      good += text.length
      dirty = false
    },
    async close() {
      if (dirty) await truncateAsync(descriptor, good)
      await syncAsync(descriptor)
      await closeAsync(descriptor)
    },
  }
}

/** The callback form: it costs half the CPU of a FileHandle, and this runs for every group of records. */
function writeAll(descriptor: number, text: string): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>()
  const step = (rest: string): void => {
    write(descriptor, rest, null, 'latin1', (error, written) => {
      if (error !== null) reject(error)
      else if (written === rest.length) resolve()
      else if (written === 0) reject(new Error('nothing could be written'))
      else step(rest.slice(written))
    })
  }
  step(text)
  return promise
}

/** A new file's name is on the disk only when its directory is. */
async function syncDirectory(directory: string): Promise<void> {
  const descriptor = await openAsync(directory, 'r')
  try {
    await syncAllAsync(descriptor)
  } finally {
    await closeAsync(descriptor)
  }
}
