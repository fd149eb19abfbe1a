import { Cluster, Redis } from 'ioredis'
import type { RedisOptions } from 'ioredis'
import type { ConnectionOptions } from 'node:tls'
import type { Config } from '../../config/schema/config.ts'
import { scripts } from './scripts.ts'
import type { ScriptRunner } from './scripts.ts'

export type RedisConfig = Extract<Config['store'], { redis: unknown }>['redis']

export type RedisClient = (Redis | Cluster) & ScriptRunner

/**
 * One client for a single server, for Sentinel or for Cluster, which connects until `closed` is aborted. Nothing waits
 * in a queue while the connection is down and nothing is sent a second time: a command whose caller has given up must
 * not be carried out later.
 *
 * Throws where `store.redis.url` is not a Redis URL.
 */
export function createRedisClient(config: RedisConfig, closed: AbortSignal): RedisClient {
  const client = connect(config, commonOptions(config), closed)
  if (!hasScripts(client)) throw new TypeError('the Redis client did not take the scripts')
  neverEnd(client, closed)
  return client
}

/**
 * ioredis gives up for good (`end`) where Sentinel tells of a failover while the connection is just being made: about
 * every second failover under load.
 */
function neverEnd(client: RedisClient, closed: AbortSignal): void {
  closed.addEventListener('abort', () => client.disconnect(), { once: true })
  client.on('end', () => {
    const again = setTimeout(() => {
      if (!closed.aborted) client.connect().catch(() => undefined)
    }, endedDelayMs)
    again.unref()
  })
}

function connect(
  config: RedisConfig,
  options: CommonOptions,
  closed: AbortSignal,
): Redis | Cluster {
  if ('cluster' in config) {
    const cluster = new Cluster([...config.cluster], clusterOptions(options))
    watchSlots(cluster, closed)
    return cluster
  }
  if ('sentinels' in config) return new Redis(sentinelOptions(config, options))
  // The URL may ask for TLS; what certificates it takes stands beside it.
  const { tls = options.tls, ...address } = readRedisUrl(config.url.reveal())
  return new Redis({ ...options, ...address, ...(tls && { tls: { ...tls, ...options.tls } }) })
}

/** By a timer of our own: that of ioredis goes on for ever where the client is closed while an answer is on its way. */
function watchSlots(cluster: Cluster, closed: AbortSignal): void {
  const timer = setInterval(() => {
    if (cluster.status === 'ready') cluster.refreshSlotsCache()
  }, slotsRefreshMs)
  timer.unref()
  closed.addEventListener('abort', () => clearInterval(timer), { once: true })
}

/** ioredis adds a method for each script at construction, which its types cannot know. */
const hasScripts = (client: Redis | Cluster): client is RedisClient =>
  Object.keys(scripts).every((name) => name in client)

const connectTimeoutMs = 1000
const commandTimeoutMs = 1000
/** A socket that owes an answer for this long is given up and replaced. */
const socketTimeoutMs = 2000
const reconnectDelayMaxMs = 500
const endedDelayMs = 100
/**
 * How soon it is known that a slot has another master, though no command was sent there: an end that is written at a
 * master whose beats nobody waits for could not be missed (DESIGN rule 12).
 */
const slotsRefreshMs = 500

const reconnectDelayMs = (attempt: number): number =>
  Math.min(2 ** Math.min(attempt, 10) * 10, reconnectDelayMaxMs) + Math.random() * 50

/** After a failover the old master answers READONLY: the connection, not the command, is at fault. */
const reconnectOnError = (error: Error): boolean => error.message.startsWith('READONLY')

type CommonOptions = RedisOptions & { readonly replyMapping: 'legacy' }

function commonOptions(config: RedisConfig): CommonOptions {
  return {
    connectTimeout: connectTimeoutMs,
    commandTimeout: commandTimeoutMs,
    socketTimeout: socketTimeoutMs,
    enableOfflineQueue: false,
    autoResendUnfulfilledCommands: false,
    maxRetriesPerRequest: 0,
    retryStrategy: reconnectDelayMs,
    reconnectOnError,
    replyMapping: 'legacy',
    connectionName: 'smart-bff',
    scripts,
    ...(config.username === undefined ? {} : { username: config.username }),
    ...(config.password === undefined ? {} : { password: config.password.reveal() }),
    ...(config.tls === undefined ? {} : { tls: tlsOptions(config.tls) }),
  }
}

function tlsOptions(tls: NonNullable<RedisConfig['tls']>): ConnectionOptions {
  return {
    rejectUnauthorized: true,
    ...(tls.ca === undefined ? {} : { ca: tls.ca.reveal() }),
    ...(tls.cert === undefined ? {} : { cert: tls.cert.reveal() }),
    ...(tls.key === undefined ? {} : { key: tls.key.reveal() }),
  }
}

function sentinelOptions(
  config: Extract<RedisConfig, { sentinels: unknown }>,
  options: CommonOptions,
): CommonOptions {
  return {
    ...options,
    sentinels: [...config.sentinels],
    name: config.name,
    role: 'master',
    failoverDetector: true,
    sentinelCommandTimeout: commandTimeoutMs,
    sentinelRetryStrategy: reconnectDelayMs,
    ...(options.tls === undefined
      ? {}
      : { sentinelTLS: options.tls, enableTLSForSentinelMode: true }),
  }
}

function clusterOptions(options: CommonOptions) {
  const { enableOfflineQueue: _, retryStrategy: __, ...redisOptions } = options
  return {
    redisOptions,
    scripts,
    enableOfflineQueue: false,
    scaleReads: 'master' as const,
    clusterRetryStrategy: reconnectDelayMs,
    slotsRefreshTimeout: commandTimeoutMs,
    slotsRefreshInterval: 0,
    maxRedirections: 6,
    retryDelayOnFailover: 100,
    retryDelayOnClusterDown: 100,
    retryDelayOnTryAgain: 100,
  }
}

/** `redis://` or `rediss://`, optional user and password (percent-encoded), optional database number as the path. */
export function readRedisUrl(
  text: string,
): Pick<RedisOptions, 'host' | 'port' | 'db' | 'username' | 'password' | 'tls'> {
  const url = URL.canParse(text) ? new URL(text) : undefined
  const database = /^\/?(\d{0,4})$/.exec(url?.pathname ?? '-')?.[1]
  if (url === undefined || !/^rediss?:$/.test(url.protocol) || database === undefined) {
    throw new TypeError('store.redis.url: expected redis://host:port or rediss://host:port')
  }
  return {
    host: url.hostname.replaceAll(/[[\]]/g, ''),
    port: url.port === '' ? 6379 : Number(url.port),
    ...(database === '' ? {} : { db: Number(database) }),
    ...(url.username === '' ? {} : { username: decodeURIComponent(url.username) }),
    ...(url.password === '' ? {} : { password: decodeURIComponent(url.password) }),
    ...(url.protocol === 'rediss:' ? { tls: { rejectUnauthorized: true } } : {}),
  }
}
