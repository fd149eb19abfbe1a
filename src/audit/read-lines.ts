import { createReadStream } from 'node:fs'
import type { ReadStream } from 'node:fs'
import { createGunzip } from 'node:zlib'

export interface RawLines {
  /** Without their ends, each byte as one character: an audit file is ASCII, and what is not ASCII was changed. */
  readonly lines: readonly string[]
  /** False for what stands after the last line end of a file. */
  readonly ended: boolean
  /** What follows in a compressed file cannot be read: it was cut or changed. */
  readonly damaged?: true
}

const chunkBytes = 1_048_576

/** Every line of an audit file, also of a compressed one, in groups of one read; `from` begins in its middle. */
export async function* readLines(path: string, from?: ReadStream): AsyncGenerator<RawLines> {
  const file = from ?? createReadStream(path, { highWaterMark: chunkBytes })
  const stream = path.endsWith('.gz') ? file.pipe(createGunzip({ chunkSize: chunkBytes })) : file
  file.on('error', (error) => stream.destroy(error))
  stream.setEncoding('latin1')
  let rest = ''
  try {
    for await (const chunk of stream as AsyncIterable<string>) {
      const lines = (rest + chunk).split('\n')
      rest = lines.pop() ?? ''
      yield { lines, ended: true }
    }
    if (rest !== '') yield { lines: [rest], ended: false }
  } catch (error) {
    if (!isDamage(error)) throw error
    yield { lines: [], ended: false, damaged: true }
  } finally {
    file.destroy()
  }
}

/** Errors of zlib, `Z_DATA_ERROR`, are about what stands in the file; those of the system are not. */
const isDamage = (error: unknown): boolean =>
  error instanceof Error && 'code' in error && String(error.code).startsWith('Z_')
