import { once } from 'node:events'
import { connect } from 'node:net'

/** Sends bytes as they are and reads until the server closes or is silent: for requests that no client library writes. */
export async function sendRaw(port: number, bytes: string, quietMs = 400): Promise<string> {
  const socket = connect(port, 'localhost')
  await once(socket, 'connect')
  let answer = ''
  socket.on('data', (chunk: Buffer) => (answer += chunk.toString('latin1')))
  socket.on('error', () => undefined)
  socket.setTimeout(quietMs, () => socket.destroy())
  const closed = once(socket, 'close')
  socket.write(Buffer.from(bytes, 'latin1'))
  await closed
  return answer
}

/** The status of each answer in turn. */
export const statusesOf = (answer: string): readonly number[] =>
  [...answer.matchAll(/^HTTP\/1\.1 (\d{3}) /gm)].map(([, status]) => Number(status))
