import { once } from 'node:events'
import { connect, createServer, type Socket } from 'node:net'

/** A TCP path to a local port that can stand still or break, for some of its connections or all. */
export interface LossyPath {
  readonly port: number
  /** Nothing passes any more, either way, on connections that have sent what the judge wants. */
  freeze(judge?: (sent: string) => boolean): void
  /** Breaks every connection; new ones are taken as before. */
  cut(): void
  close(): Promise<void>
}

interface Line {
  readonly ends: readonly [Socket, Socket]
  sent: string
}

export async function startLossyPath(target: number): Promise<LossyPath> {
  const lines = new Set<Line>()
  const server = createServer((near) => {
    const far = connect(target, '127.0.0.1')
    const line: Line = { ends: [near, far], sent: '' }
    lines.add(line)
    near.on('data', (chunk: Buffer) => {
      line.sent = (line.sent + chunk.toString('latin1')).slice(-4000)
    })
    near.pipe(far).pipe(near)
    for (const end of line.ends) {
      end.on('error', () => undefined)
      end.on('close', () => {
        lines.delete(line)
        for (const one of line.ends) one.destroy()
      })
    }
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('no port')
  const cut = (): void => {
    for (const { ends } of lines) for (const end of ends) end.destroy()
  }

  return {
    port: address.port,
    freeze: (judge = () => true) => {
      for (const { ends, sent } of lines) {
        if (!judge(sent)) continue
        const [near, far] = ends
        near.unpipe(far)
        far.unpipe(near)
        near.pause()
        far.pause()
      }
    },
    cut,
    close: async () => {
      cut()
      server.close()
      await once(server, 'close')
    },
  }
}
