import { SmartBffError } from '../../errors.ts'
import type { RedisClient } from './client.ts'

/** What is told of a fault, for the log and the metrics: no key, no value, no text of the server's. */
export interface StoreFault {
  readonly operation: string
  /** `not_connected`, `timeout`, `connection`, or the first word of Redis's answer (`OOM`, `READONLY`, `LOADING`…). */
  readonly reason: string
}

/**
 * How the store asks Redis. A fault is STORE_UNAVAILABLE within two seconds: at most one second for a connection that
 * has just been lost to come back, and at most one for the answer. An outage older than that fails at once.
 */
export interface RedisAsker {
  /** `undefined` also where the key holds another type than ours: garbage is as good as missing. */
  <T>(operation: string, command: () => Promise<T>): Promise<T | undefined>
}

export interface AskerDeps {
  readonly onFault: (fault: StoreFault) => void
  /** How long Redis took to answer. */
  readonly onAnswer?: ((operation: string, seconds: number) => void) | undefined
}

export function createAsker(client: RedisClient, { onFault, onAnswer }: AskerDeps): RedisAsker {
  const ready = createReadiness(client)
  const fail = (operation: string, reason: string): SmartBffError => {
    onFault({ operation, reason })
    return new SmartBffError('STORE_UNAVAILABLE', { detail: `${operation}: ${reason}` })
  }
  client.on('error', (error) => onFault({ operation: 'connection', reason: reasonOf(error) }))

  return async (operation, command) => {
    if (!(client.status === 'ready' || (await ready()))) throw fail(operation, 'not_connected')
    const startedAt = performance.now()
    try {
      const answer = await command()
      onAnswer?.(operation, (performance.now() - startedAt) / 1000)
      return answer
    } catch (error) {
      const reason = reasonOf(error)
      if (reason === 'WRONGTYPE') return undefined
      throw fail(operation, reason)
    }
  }
}

const graceMs = 1000

/** Waits for the connection for the first second after it was lost (or first asked for), then no longer. */
function createReadiness(client: RedisClient): () => Promise<boolean> {
  let deadline = performance.now() + graceMs
  let waiting: Promise<boolean> | undefined
  client.on('ready', () => {
    deadline = Infinity
  })
  client.on('close', () => {
    deadline = Math.min(deadline, performance.now() + graceMs)
  })

  return () => {
    const leftMs = Math.min(graceMs, deadline - performance.now())
    if (leftMs <= 0 || client.status === 'end') return Promise.resolve(false)
    waiting ??= waitForReady(client, leftMs).finally(() => {
      waiting = undefined
    })
    return waiting
  }
}

function waitForReady(client: RedisClient, timeoutMs: number): Promise<boolean> {
  return new Promise((resolve) => {
    const settle = (value: boolean): void => {
      clearTimeout(timer)
      client.off('ready', onReady)
      client.off('end', onEnd)
      resolve(value)
    }
    const onReady = (): void => settle(true)
    const onEnd = (): void => settle(false)
    const timer = setTimeout(settle, timeoutMs, false)
    client.once('ready', onReady)
    client.once('end', onEnd)
  })
}

/** Redis begins every error with its code in capitals; the rest of the text may hold keys and stays here. */
function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return 'connection'
  if (error.name === 'ReplyError') return /^[A-Z]{2,20}\b/.exec(error.message)?.[0] ?? 'ERR'
  return error.message === 'Command timed out' ? 'timeout' : 'connection'
}
