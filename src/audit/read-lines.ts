import { createReadStream } from 'node:fs'
import type { ReadStream } from 'node:fs'
import { createGunzip } from 'node:zlib'
import { isMissing } from './checkpoints.ts'

export interface RawLines {
  /** Without their ends, each byte as one character: an audit file is ASCII, and what is not ASCII was changed. */
  readonly lines: readonly string[]
  /** False for what stands after the last line end of a file. */
  readonly ended: boolean
  /** What the first line was longer than it stands here. */
  readonly omitted?: number
  /** What follows in a compressed file cannot be read: it was cut or changed. */
  readonly damaged?: true
}

const chunkBytes = 1_048_576
/** More than any record has. A longer line is none, and is not held: a small compressed file may hold gigabytes of it. */
const mostInLine = 1_048_576
const noRecord = '?'

/** Every line of an audit file, also of a compressed one, in groups of one read; `from` begins in its middle. */
export async function* readLines(path: string, from?: ReadStream): AsyncGenerator<RawLines> {
  const file = from ?? createReadStream(path, { highWaterMark: chunkBytes })
  const stream = path.endsWith('.gz') ? file.pipe(createGunzip({ chunkSize: chunkBytes })) : file
  file.on('error', (error) => stream.destroy(error))
  stream.setEncoding('latin1')
  let rest = ''
  let omitted = 0
  try {
    for await (const chunk of stream as AsyncIterable<string>) {
      const lines = (rest + chunk).split('\n')
      rest = lines.pop() ?? ''
      if (lines.length > 0) {
        yield { lines, ended: true, omitted }
        omitted = 0
      }
      if (rest.length > mostInLine) {
        omitted += rest.length - noRecord.length
        rest = noRecord
      }
    }
    if (rest !== '') yield { lines: [rest], ended: false, omitted }
  } catch (error) {
    if (!isDamage(error)) throw error
    yield { lines: [], ended: false, damaged: true }
  } finally {
    file.destroy()
  }
}

/** A file that was listed may be compressed before it is read. */
export async function* readPresent(path: string): AsyncGenerator<RawLines> {
  try {
    yield* readLines(path)
  } catch (error) {
    if (!isMissing(error) || path.endsWith('.gz')) throw error
    yield* readLines(`${path}.gz`)
  }
}

/** Errors of zlib, `Z_DATA_ERROR`, are about what stands in the file; those of the system are not. */
const isDamage = (error: unknown): boolean =>
  error instanceof Error && 'code' in error && String(error.code).startsWith('Z_')
