import rateLimit from '@fastify/rate-limit'
import type { FastifyInstance } from 'fastify'
import fp from 'fastify-plugin'
import { SmartBffError } from '../errors.ts'

/** Where requests are counted: the store, so that all replicas count together. */
export interface Counter {
  countUp(name: string, windowMs: number): Promise<{ count: number; leftMs: number }>
}

interface Named {
  client(address: string): string
}

const windowMs = 60_000

/**
 * Requests per address (an IPv6 /64 counts as one) and minute, for the scope that holds /launch and /callback. Each
 * route counts for itself. Sized for a hospital behind one address. A store that does not answer counts nothing: the
 * route itself says 503 then.
 */
export function launchRateLimit(options: {
  readonly launchPerMinute: () => number
  readonly store: Counter
  /** What an address is called in the store, so that a dump of it tells no workstation's. */
  readonly pseudonyms: Named
}) {
  return fp(async (scope: FastifyInstance) => {
    scope.addHook('onRoute', (route) => {
      // An own object gives a route its own counters.
      route.config = { ...route.config, rateLimit: {} }
    })
    await scope.register(rateLimit, {
      global: false,
      max: () => options.launchPerMinute(),
      timeWindow: windowMs,
      store: countedIn(options),
      skipOnError: true,
      // A stranger need not know how near he is.
      addHeaders: {
        'x-ratelimit-limit': false,
        'x-ratelimit-remaining': false,
        'x-ratelimit-reset': false,
      },
      addHeadersOnExceeding: {
        'x-ratelimit-limit': false,
        'x-ratelimit-remaining': false,
        'x-ratelimit-reset': false,
      },
      errorResponseBuilder: () => new SmartBffError('LAUNCH_RATE_LIMITED'),
    })
  })
}

type Counted = (error: Error | null, counted?: { current: number; ttl: number }) => void

/** The plugin's idea of a store: a class, of which each route gets a child. */
function countedIn({ store, pseudonyms }: { store: Counter; pseudonyms: Named }) {
  return class Counts {
    readonly #name: string

    constructor(options: { readonly routeInfo?: { readonly url?: string } } | object) {
      const route = 'routeInfo' in options ? options.routeInfo : undefined
      this.#name = route?.url ?? ''
    }

    incr(key: string, counted: Counted): void {
      store.countUp(`${this.#name} ${pseudonyms.client(key)}`, windowMs).then(
        ({ count, leftMs }) => counted(null, { current: count, ttl: leftMs }),
        (error: Error) => counted(error),
      )
    }

    child(options: object): Counts {
      return new Counts(options)
    }
  }
}
