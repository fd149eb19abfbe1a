import { randomUUID } from 'node:crypto'
import { Cluster } from 'ioredis'
import { linkFreshMs } from '../store.ts'
import type { Change, Store } from '../store.ts'
import { createRedisClient } from './client.ts'
import type { RedisClient, RedisConfig } from './client.ts'
import { createMasters } from './masters.ts'
import { beatChannel, changesChannel, readChange } from './names.ts'

/**
 * The link that tells this replica of ends (DESIGN rule 12). A beat is published on the way that the commands go and
 * must come back on the way that the messages come. When one that left at a given time is back, all that was published
 * before that time has been heard; a half-dead master or a severed subscription lets none come back. In a Cluster each
 * master beats for itself.
 */
export interface Link {
  readonly onChange: Store['onChange']
  /** Every master's beat of less than `linkFreshMs` ago is back. */
  readonly alive: () => boolean
  readonly close: () => void
}

const beatMs = 150

export function createLink(config: RedisConfig, client: RedisClient): Link {
  const listeners = new Set<(change: Change) => void>()
  const tell = (change: Change): void => {
    for (const listener of listeners) listener(change)
  }
  const beats = createBeats(() => tell({ kind: 'gap' }))
  const masters = createMasters(client)
  const channel = beatChannel(randomUUID())
  const hear = (from: string, message: string): void => {
    if (from === channel) return beats.heard(message)
    const change = readChange(message)
    if (change !== undefined) tell(change)
  }
  const subscriber = subscribe(config, client, [changesChannel, channel], hear, () => {
    beats.forget()
    tell({ kind: 'gap' })
  })
  const timer = setInterval(() => {
    for (const master of masters()) {
      // A beat that cannot be sent is a beat that does not come back.
      master.beat(channel, beats.next(master.name)).catch(() => undefined)
    }
  }, beatMs)
  timer.unref()

  return {
    onChange: (listener) => {
      listeners.add(listener)
      return () => listeners.delete(listener)
    },
    alive: () => beats.fresh(masters().map(({ name }) => name)),
    close: () => {
      clearInterval(timer)
      subscriber.close()
    },
  }
}

/** Counts what is sent and what comes back, for each master. A number that is passed over tells of a loss. */
function createBeats(onLoss: () => void) {
  const sent = new Map<string, number>()
  const last = new Map<string, { number: number; sentAt: number }>()
  return {
    next: (name: string): string => {
      const number = (sent.get(name) ?? 0) + 1
      sent.set(name, number)
      return `${number} ${performance.now()} ${name}`
    },
    heard: (message: string): void => {
      const [number = 0, sentAt = 0] = message.split(' ', 2).map(Number)
      const name = message.split(' ')[2] ?? ''
      const before = last.get(name)
      if (before !== undefined && number !== before.number + 1) onLoss()
      last.set(name, { number, sentAt })
    },
    forget: (): void => last.clear(),
    fresh: (names: readonly string[]): boolean => {
      const since = performance.now() - linkFreshMs
      return names.length > 0 && names.every((name) => (last.get(name)?.sentAt ?? 0) > since)
    },
  }
}

/** A subscription of its own connection, renewed as often as it is lost. */
function subscribe(
  config: RedisConfig,
  client: RedisClient,
  channels: readonly string[],
  hear: (channel: string, message: string) => void,
  onBegin: () => void,
): { close(): void } {
  // A Cluster client keeps a connection for messages itself, and moves it when its node goes.
  const closed = new AbortController()
  const subscriber = client instanceof Cluster ? client : createRedisClient(config, closed.signal)
  const begin = (): void => {
    subscriber.subscribe(...channels).then(onBegin, () => undefined)
  }
  subscriber.on('message', hear)
  subscriber.on('ready', begin)
  if (subscriber !== client) subscriber.on('error', () => undefined)
  return {
    close: () => {
      subscriber.off('ready', begin)
      closed.abort()
    },
  }
}
