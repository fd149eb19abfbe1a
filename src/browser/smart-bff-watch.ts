import { createCover, createWarning } from './smart-bff-cover.ts'
import { createStream, since } from './smart-bff-stream.ts'
import type { LaunchInfo, SmartBffError, SmartBffEvents } from './smart-bff.ts'

/**
 * The watch over one document's launch. It knows three things: whether the launch is plainly current (heard of, or
 * read, a moment ago), when the launch ends by the idle clock, and what the server says when it does. While it does not
 * know, the app is covered: a frame that shows the wrong chart is worse than one that shows nothing.
 */
export interface Watch {
  readonly on: <K extends keyof SmartBffEvents>(
    type: K,
    heard: (event: SmartBffEvents[K]) => void,
  ) => () => void
  /** Reads the launch anew and acts on the answer; with `hide` the app is covered until then. */
  check(hide?: boolean): Promise<void>
}

export interface WatchDeps {
  readonly id: string
  /** Rejects with SmartBffError unless the launch is active. `serverTime` in milliseconds since the epoch, or NaN. */
  read(signal: AbortSignal): Promise<{ readonly info: LaunchInfo; readonly serverTime: number }>
  /** Tells the server that the user did something; never rejects. */
  active(): Promise<unknown>
  reauthorize(): Promise<void>
  isOver(error: unknown): error is SmartBffError
}

const tickMs = 1000
const checkTimeoutMs = 10_000
/** Longer than two heartbeats of the server, which come every 10 s. */
const currentMs = 25_000
const againMs = 5000
const activityMs = 60_000
const warningMs = 60_000
/** The blank screen stands before the server’s clock runs out, although the Date header knows whole seconds only. */
const blankEarlyMs = 4000

export function watchLaunch(deps: WatchDeps): Watch {
  const { on, tell } = createEvents()
  const cover = createCover(on)
  const idle = createIdleClock({
    active: () => void deps.active().then(async () => check()),
    warned: (endsAt) => tell('idle', { endsAt }),
    hide: () => cover.shown() || cover.show('Checking whether you are still here.'),
    passed: () => reading.underway() || void check(true),
  })
  let closed = false
  let currentAt = Date.now()

  const isCurrent = (): boolean => since(currentAt) < currentMs && idle.leftMs() > 0

  const learn = (info: LaunchInfo, serverTime: number): void => {
    currentAt = Date.now()
    const ahead = Number.isNaN(serverTime) ? 0 : serverTime - currentAt
    idle.set(info.expires ? Date.parse(info.expires.idle) - ahead : Infinity)
    // Alive, and yet about to end: it stays blank until the server has spoken.
    if (idle.leftMs() > 0) cover.remove()
    tell('active', info)
  }

  const refused = createRefused(deps, {
    cover,
    tell,
    check: () => void check(true),
    isCurrent,
    close: () => {
      closed = true
      stream.close()
      idle.set(Infinity)
    },
  })

  const reading = createReading(deps, { learn, refused })
  const check = async (hide = false): Promise<void> => {
    if (closed) return
    // What stands there already, and its button, stays until there is an answer.
    if (hide || (!isCurrent() && !cover.shown())) {
      cover.show('Checking that this is still the right patient.')
    }
    await reading.ask()
  }

  const stream = createStream(deps.id, {
    current: () => (currentAt = Date.now()),
    changed: (hide) => void check(hide),
  })
  every(tickMs, (setBack) => {
    if (closed) return
    // By a clock that was set back every deadline is wrong: the server says it anew.
    if (setBack) idle.forget()
    if (!reading.underway() && (setBack || stream.mayPoll())) void check()
    idle.tick()
  })
  listen({
    check,
    touch: idle.touch,
    leave: (persisted) => {
      stream.close()
      if (!persisted || closed) return
      reading.drop()
      cover.show('')
    },
    comeBack: () => {
      if (closed) return
      stream.open()
      void check(true)
    },
  })
  void check()
  stream.open()
  return { on, check }
}

/** Only the answer to what was asked last counts. */
function createReading(
  deps: Pick<WatchDeps, 'read'>,
  heard: {
    learn(info: LaunchInfo, serverTime: number): void
    refused(error: unknown): void
  },
) {
  let turn = 0
  let underway = 0
  return {
    /** Timers ask only while nothing is asked: a server that takes longer than their pause would never be heard. */
    underway: (): boolean => underway > 0,
    /** An answer that arrives after the document was hidden again uncovers nothing. */
    drop: (): void => void turn++,
    async ask(): Promise<void> {
      const mine = ++turn
      underway++
      try {
        const { info, serverTime } = await deps.read(AbortSignal.timeout(checkTimeoutMs))
        if (mine === turn) heard.learn(info, serverTime)
      } catch (error) {
        if (mine === turn) heard.refused(error)
      } finally {
        underway--
      }
    },
  }
}

/** What the server's refusal means for the document: unknown, to be authorized anew, or over. */
function createRefused(
  deps: WatchDeps,
  parts: {
    readonly cover: ReturnType<typeof createCover>
    readonly tell: ReturnType<typeof createEvents>['tell']
    check(): void
    isCurrent(): boolean
    close(): void
  },
): (error: unknown) => void {
  const { cover, tell } = parts
  const end = (error: SmartBffError): void => {
    parts.close()
    cover.close(error)
  }
  const reauthorize = async (): Promise<void> => {
    try {
      await deps.reauthorize()
    } catch (error) {
      if (deps.isOver(error)) end(error)
    }
  }
  return (error) => {
    if (!deps.isOver(error)) {
      if (parts.isCurrent() && !cover.shown()) return
      const sentence = 'The app cannot check that this is still the right patient.'
      cover.show(sentence, ['Try again', () => parts.check()])
    } else if (error.state === 'authorization_expired') {
      cover.show(error.sentence, ['Continue', () => void reauthorize()])
      tell('reauthorize', error)
    } else {
      end(error)
      tell('ended', error)
    }
  }
}

/** One timer for everything that waits, so that a computer that slept finds all of it due at once. */
function every(ms: number, tick: (setBack: boolean) => void): void {
  let before = Date.now()
  setInterval(() => {
    const setBack = Date.now() < before
    before = Date.now()
    tick(setBack)
  }, ms)
}

/** When the document is looked at again, its launch is read again. */
function listen(deps: {
  check(hide?: boolean): Promise<void>
  touch(): void
  leave(persisted: boolean): void
  comeBack(): void
}): void {
  for (const type of ['pointerdown', 'keydown', 'touchstart']) {
    const options = { capture: true, passive: true }
    addEventListener(type, ({ isTrusted }) => isTrusted && deps.touch(), options)
  }
  // The back-forward cache brings a document back as it was, perhaps for another user; `no-store` does not keep a frame
  // out of it. So it is covered before it goes in.
  addEventListener('pagehide', ({ persisted }) => deps.leave(persisted))
  addEventListener('pageshow', ({ persisted }) => persisted && deps.comeBack())
  addEventListener('focus', () => void deps.check())
  addEventListener('online', () => void deps.check())
  document.addEventListener('visibilitychange', () => {
    if (document.visibilityState === 'visible') void deps.check()
  })
}

/**
 * The idle clock as the server last told it, by this computer's own clock. Its end is blank first: the server ends the
 * launch a moment later, or another frame has kept it alive.
 */
function createIdleClock(deps: {
  active(): void
  warned(endsAt: number): void
  hide(): void
  passed(): void
}) {
  const post = (): void => {
    postedAt = Date.now()
    deps.active()
  }
  const warning = createWarning(post)
  let deadline = Infinity
  let lengthMs = Infinity
  let touchedAt = 0
  let postedAt = 0
  let askedAt = 0
  const leftMs = (): number => deadline - blankEarlyMs - Date.now()

  return {
    leftMs,
    set(next: number): void {
      // The longest that was left, which is soon the whole; an answer that took long seems to move the deadline, too.
      const left = next - Date.now()
      lengthMs = lengthMs === Infinity ? left : Math.max(lengthMs, left)
      deadline = next
      if (next === Infinity) warning.remove()
    },
    touch: (): void => void (touchedAt = Date.now()),
    forget: (): void => void (touchedAt = postedAt = askedAt = 0),
    tick(): void {
      const now = Date.now()
      // At most once a minute, and once more for what was done since.
      if (touchedAt > postedAt && now - postedAt >= Math.min(activityMs, lengthMs / 3)) post()
      const left = leftMs()
      if (left <= 0) {
        warning.remove()
        deps.hide()
        if (now < deadline + tickMs || now - askedAt < againMs) return
        askedAt = now
        deps.passed()
      } else if (left < Math.min(warningMs, lengthMs / 3)) {
        if (warning.show(Math.ceil(left / 1000))) deps.warned(now + left)
      } else warning.remove()
    },
  }
}

type Listeners = { [K in keyof SmartBffEvents]: Set<(event: SmartBffEvents[K]) => void> }

function createEvents() {
  const listeners: Listeners = {
    active: new Set(),
    idle: new Set(),
    reauthorize: new Set(),
    ended: new Set(),
  }
  const on: Watch['on'] = (type, heard) => {
    listeners[type].add(heard)
    return () => listeners[type].delete(heard)
  }
  const tell = <K extends keyof SmartBffEvents>(type: K, event: SmartBffEvents[K]): void => {
    for (const heard of listeners[type]) {
      try {
        heard(event)
      } catch (error) {
        // The app's own fault, told where it looks for them; the watch goes on.
        reportError(error)
      }
    }
  }
  return { on, tell }
}
