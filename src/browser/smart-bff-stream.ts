const pollMs = 5000

interface Told {
  readonly type: string
  readonly launch?: string
  readonly state?: string
  readonly launches?: readonly string[]
}

export interface Stream {
  open(): void
  close(): void
  /** Nothing was heard for longer than anybody waits: every 5 s the launch itself is to be asked. */
  mayPoll(): boolean
}

/**
 * One stream of the server's for all frames of a session, because six over HTTP/1.1 starve every fetch. Whoever is
 * admitted passes on what it hears; the others ask again when they have heard nothing for 15 to 20 s, or when the
 * holder says that it goes.
 */
export function createStream(
  id: string,
  heard: { current(): void; changed(hide: boolean): void },
): Stream {
  const channel = new BroadcastChannel('smart-bff')
  let source: EventSource | null = null
  let holding = false
  let heardAt = 0
  let polledAt = 0
  let patienceMs = 0
  let timer = 0

  // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a BroadcastChannel reaches its own origin only
  const tell = (told: Told): void => channel.postMessage(told)
  const hear = ({ type, launch, state, launches }: Told): void => {
    if (!source) return
    if (type === 'bye') wait(Math.random() * 1000)
    else if (type === 'state') {
      if (launch === id) heard.changed(state !== 'changed')
    } else if (launches?.includes(id)) {
      heardAt = Date.now()
      heard.current()
      wait()
    } else {
      // Of another session, or without this launch: it has to ask for itself.
      heard.changed(false)
    }
  }
  const ask = (): void => {
    source?.close()
    source = new EventSource('/session/events')
    for (const type of ['state', 'heartbeat']) {
      source.addEventListener(type, ({ data }: MessageEvent<string>) => {
        holding = true
        const told: Told = { ...JSON.parse(data), type }
        tell(told)
        hear(told)
      })
    }
    wait()
  }
  const wait = (ms = (patienceMs = 15_000 + Math.random() * 5000)): void => {
    clearTimeout(timer)
    timer = setTimeout(ask, ms)
  }
  channel.addEventListener('message', ({ data }: MessageEvent<Told>) => hear(data))

  return {
    open(): void {
      heardAt = Date.now()
      ask()
    },
    close(): void {
      clearTimeout(timer)
      if (holding) tell({ type: 'bye' })
      holding = false
      source?.close()
      source = null
    },
    mayPoll(): boolean {
      if (since(heardAt) <= patienceMs || since(polledAt) < pollMs) return false
      polledAt = Date.now()
      return true
    },
  }
}

/** By this computer's clock; what seems to lie ahead is of before somebody set it back, and counts as long ago. */
export function since(at: number): number {
  const ms = Date.now() - at
  return ms < 0 ? Infinity : ms
}
