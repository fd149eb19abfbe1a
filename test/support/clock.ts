import { ServerResponse } from 'node:http'

export interface HeldClock {
  forward(ms: number): void
  release(): void
}

/**
 * The wall clock of this process in a test's hands: the product and the sandbox EHR, tokens, deadlines and the Date
 * header of every answer. Timers run on as they are. Before anything that keeps `Date.now` for itself.
 */
export function holdClock(): HeldClock {
  const RealDate = Date
  // oxlint-disable-next-line typescript/unbound-method -- called on the response below
  const { writeHead } = ServerResponse.prototype
  let aheadMs = 0
  const now = (): number => RealDate.now() + aheadMs

  globalThis.Date = new Proxy(RealDate, {
    construct: (target, args: unknown[]) =>
      args.length === 0 ? new target(now()) : Reflect.construct(target, args),
    get: (target, name) => (name === 'now' ? now : Reflect.get(target, name)),
  })
  // Node's own Date header looks at the real clock.
  ServerResponse.prototype.writeHead = function dated(
    this: ServerResponse,
    ...args: unknown[]
  ): ServerResponse {
    if (!this.headersSent) this.setHeader('date', new RealDate(now()).toUTCString())
    return Reflect.apply(writeHead, this, args)
  }
  return {
    forward: (ms) => void (aheadMs += ms),
    release: () => {
      globalThis.Date = RealDate
      ServerResponse.prototype.writeHead = writeHead
    },
  }
}
