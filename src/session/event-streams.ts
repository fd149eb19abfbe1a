import { randomBytes } from 'node:crypto'
import { PassThrough, type Readable } from 'node:stream'
import type { Change, Store } from '../store/store.ts'
import { readEnd } from '../vault/vault-store.ts'

/**
 * The server-sent events of a browser session: which of its launches live, and which has just ended. One stream a
 * session, by a lease in the store: six streams over HTTP/1.1 would starve every fetch of the browser.
 */
export interface EventStreams {
  /** Undefined where the session has its stream, here or at another replica. Throws STORE_UNAVAILABLE. */
  open(session: string): Promise<Readable | undefined>
  close(): void
}

export interface EventStreamDeps {
  readonly store: Pick<
    Store,
    'acquireLease' | 'renewLease' | 'releaseLease' | 'listLaunches' | 'onChange'
  >
  readonly heartbeatMs?: number
}

const defaultHeartbeatMs = 10_000
/** A replica that died is waited for a little longer than for a heartbeat. */
const leaseBeats = 1.5
const streamsMax = 5_000
/** A browser that does not read is let go. */
const maxWaitingBytes = 65_536

export function createEventStreams(deps: EventStreamDeps): EventStreams {
  const { store } = deps
  const heartbeatMs = deps.heartbeatMs ?? defaultHeartbeatMs
  const leaseMs = heartbeatMs * leaseBeats
  const streams = new Map<string, Stream>()

  const stopHearing = store.onChange((change) => {
    for (const stream of concerned(streams, change)) stream.hear(change)
  })

  return {
    open: async (session) => {
      if (streams.size >= streamsMax || streams.has(session)) return undefined
      const holder = randomBytes(16).toString('base64url')
      const lease = `events:${session}`
      if (!(await store.acquireLease(lease, holder, leaseMs))) return undefined
      const stream = createStream({
        heartbeatMs,
        launches: () => store.listLaunches(session),
        renew: async () => {
          if (await store.renewLease(lease, holder, leaseMs)) return true
          // It ran out, because a clock was set or this process stood still: whoever comes first has the place.
          return streams.get(session) === stream && store.acquireLease(lease, holder, leaseMs)
        },
        gone: () => {
          streams.delete(session)
          // A lease that cannot be given back runs out by itself.
          store.releaseLease(lease, holder).catch(() => undefined)
        },
      })
      streams.set(session, stream)
      return stream.readable
    },
    close: () => {
      stopHearing()
      for (const stream of streams.values()) stream.end()
    },
  }
}

function concerned(streams: ReadonlyMap<string, Stream>, change: Change): Iterable<Stream> {
  if (change.kind === 'gap') return streams.values()
  const stream = streams.get(change.session)
  return stream === undefined ? [] : [stream]
}

interface Stream {
  readonly readable: Readable
  hear(change: Change): void
  end(): void
}

function createStream(deps: {
  readonly heartbeatMs: number
  readonly launches: () => Promise<readonly string[]>
  readonly renew: () => Promise<boolean>
  readonly gone: () => void
}): Stream {
  const readable = new PassThrough()
  let known: readonly string[] = []

  const say = (event: string, data: object): void => {
    if (readable.writableEnded || readable.destroyed) return
    if (readable.writableLength > maxWaitingBytes) return void readable.destroy()
    readable.write(`event: ${event}\ndata: ${JSON.stringify(data)}\n\n`)
  }
  /** A browser that takes nothing any more never takes the end either, and would keep its place. */
  const finish = (): void => {
    readable.end()
    setTimeout(() => readable.destroy(), deps.heartbeatMs).unref()
  }
  /** What lives now. A frame that does not find its launch here asks for itself. */
  const beat = async (): Promise<void> => {
    try {
      const launches = await deps.launches()
      for (const launch of launches) {
        if (!known.includes(launch)) say('launch', { launch, state: 'active' })
      }
      known = launches
      say('heartbeat', { launches })
    } catch {
      // A store that does not answer is silence: the frames ask for themselves, and are told.
    }
  }
  const renewAndBeat = async (): Promise<void> => {
    const held = await deps.renew().catch(() => true)
    // Another replica streams to this browser by now.
    if (!held) return finish()
    await beat()
  }
  const timer = setInterval(() => void renewAndBeat(), deps.heartbeatMs)
  readable.once('close', () => {
    clearInterval(timer)
    deps.gone()
  })
  // Sent at once, so that proxies and the browser see the answer begin; `retry` is the browser's own patience.
  readable.write('retry: 5000\n\n')
  void beat()

  return {
    readable,
    hear: (change) => {
      if (change.kind === 'gap') return void beat()
      if (change.kind === 'changed')
        return say('state', { launch: change.launch, state: 'changed' })
      const { state } = readEnd(change.ended)
      const ended = change.launch === undefined ? known : [change.launch]
      known = known.filter((launch) => !ended.includes(launch))
      for (const launch of ended) say('state', { launch, state })
      if (change.launch !== undefined) return
      // A launch that has begun since the last beat is in nobody's list: its frame asks for itself.
      say('heartbeat', { launches: [] })
      finish()
    },
    end: finish,
  }
}
