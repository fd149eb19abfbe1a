import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { connect, createServer, type Socket } from 'node:net'
import { scripts } from '../../src/store/redis/scripts.ts'
import { cutReplies, cutRequests } from './resp.ts'

/** A path to a Redis that sees each command on its way, and can spoil it or its answer. */
export interface RedisPath {
  readonly url: string
  /** Judges every command from now on. */
  judge(judge: Judge): void
  close(): Promise<void>
}

export interface SeenCommand {
  /** In capitals; a script of ours by its own name. */
  readonly name: string
  readonly key: string
}

export type Judge = (command: SeenCommand) => Spoiled | undefined

export type Spoiled =
  /** The connection breaks before the command has left. */
  | 'cut before'
  /** Redis has carried it out; the connection breaks before the answer has come. */
  | 'cut after'
  /** Neither an answer nor an end, on this connection, ever. */
  | 'silence'
  /** Redis answers this instead of carrying it out. */
  | { readonly error: string }
  | Late

/** The connection breaks, and Redis carries it out all the same, but only then: as when a network has held it back. */
export interface Late {
  readonly goOn: Promise<void>
  /** Redis has carried it out. */
  readonly done: () => void
}

type Owed = { readonly kind: 'answer'; readonly cut: boolean } | { kind: 'error'; text: string }

export async function startRedisPath(target: number): Promise<RedisPath> {
  let judge: Judge = () => undefined
  const sockets = new Set<Socket>()
  const server = createServer((near) => {
    const far = connect(target, '127.0.0.1')
    const owed: Owed[] = []
    const cut = (): void => {
      near.destroy()
      far.destroy()
    }
    let silent = false
    /** Redis answers in the order of the commands, and so do we. */
    const settleErrors = (): void => {
      for (let next = owed[0]; next?.kind === 'error'; next = owed[0]) {
        near.write(`-${next.text}\r\n`)
        owed.shift()
      }
    }
    const carry = (words: readonly string[], raw: Buffer): void => {
      const spoiled = silent ? 'silence' : judge(nameOf(words))
      if (typeof spoiled === 'object' && 'goOn' in spoiled) {
        cut()
        return void carryOutLate(target, raw, spoiled)
      }
      if (spoiled === 'silence') silent = true
      else if (spoiled === 'cut before') cut()
      else if (spoiled === undefined || spoiled === 'cut after') {
        owed.push({ kind: 'answer', cut: spoiled === 'cut after' })
        far.write(raw)
      } else {
        owed.push({ kind: 'error', text: spoiled.error })
        settleErrors()
      }
    }
    const pass = (raw: Buffer): void => {
      const answered = owed.shift()
      if (answered?.kind === 'answer' && answered.cut) return cut()
      if (!silent && !near.destroyed) near.write(raw)
      settleErrors()
    }
    const [requests, replies] = [cutRequests(carry), cutReplies(pass)]
    near.on('data', requests)
    far.on('data', replies)
    for (const end of [near, far]) {
      sockets.add(end)
      end.on('error', () => undefined)
      end.on('close', () => {
        sockets.delete(end)
        cut()
      })
    }
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('no port')
  return {
    url: `redis://127.0.0.1:${address.port}`,
    judge: (next) => {
      judge = next
    },
    close: async () => {
      for (const socket of sockets) socket.destroy()
      server.close()
      await once(server, 'close')
    },
  }
}

async function carryOutLate(target: number, raw: Buffer, { goOn, done }: Late): Promise<void> {
  await goOn
  const socket = connect(target, '127.0.0.1', () => socket.end(raw))
  socket.on('error', () => undefined).resume()
  socket.on('close', done)
}

const scriptNames = new Map(
  Object.entries(scripts).flatMap(([name, { lua }]) => [
    [createHash('sha1').update(lua).digest('hex'), name],
    [lua, name],
  ]),
)

function nameOf([word = '', first = '', second = '', third = '']: readonly string[]): SeenCommand {
  const script = /^eval(sha)?$/i.test(word) ? scriptNames.get(first) : undefined
  // EVALSHA sha count key…
  return script === undefined
    ? { name: word.toUpperCase(), key: first }
    : { name: script, key: second === '0' ? '' : third }
}
