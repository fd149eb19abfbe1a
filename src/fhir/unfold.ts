import { createGunzip } from 'node:zlib'

/** gzip undone, a piece at a time, within both limits: the answer's own, and what may be held in all. */
export function unfold(
  body: Buffer,
  maxBytes: number,
  hold: (bytes: number) => boolean,
): Promise<Buffer | 'too_large' | 'memory' | 'encoding'> {
  return new Promise((resolve) => {
    const chunks: Buffer[] = []
    let size = 0
    const gunzip = createGunzip({ chunkSize: 65_536 })
    const stop = (fault: 'too_large' | 'memory' | 'encoding'): void => {
      resolve(fault)
      gunzip.destroy()
    }
    gunzip.on('data', (chunk: Buffer) => {
      size += chunk.length
      if (size > maxBytes) stop('too_large')
      else if (hold(chunk.length)) chunks.push(chunk)
      else stop('memory')
    })
    gunzip.once('end', () => resolve(Buffer.concat(chunks, size)))
    gunzip.once('error', () => stop('encoding'))
    gunzip.end(body)
  })
}
