import { errorTable } from '../errors.ts'
import type { Trace } from '../tracing/tracing.ts'
import { decisionOf } from '../tracing/words.ts'
import type { SpanWords } from '../tracing/words.ts'
import type { Tokens } from '../vault/vault.ts'
import type { Exchange } from './exchange.ts'
import type { Upstream, UpstreamAsk } from './upstream.ts'

/** The steps of a FHIR request as spans. Where nothing is traced every part stays what it was. */
interface Parts {
  readonly tokens: Tokens
  readonly upstream: Upstream
}

export function traced<Given extends Parts>(parts: Given, trace: Trace | undefined): Given {
  if (trace === undefined) return parts
  return {
    ...parts,
    tokens: tracedTokens(parts.tokens, trace),
    upstream: tracedUpstream(parts.upstream, trace),
  }
}

/** Only a refresh that the request waited for is a step of it. */
function tracedTokens(tokens: Tokens, trace: Trace): Tokens {
  return {
    current: async (key, opened) => {
      const startedAt = performance.now()
      try {
        const current = await tokens.current(key, opened)
        if (current !== opened) trace.step('token', startedAt).end({ decision: 'allowed' })
        return current
      } catch (error) {
        trace.step('token', startedAt).end({ decision: 'failed' })
        throw error
      }
    },
    afterRefusal: async (key, opened) => {
      const step = trace.step('token')
      try {
        const renewed = await tokens.afterRefusal(key, opened)
        step.end({ decision: renewed === opened ? 'refused' : 'allowed' })
        return renewed
      } catch (error) {
        step.end({ decision: 'failed' })
        throw error
      }
    },
    triedAgain: (key, renewed, status) => tokens.triedAgain(key, renewed, status),
  }
}

function tracedUpstream(upstream: Upstream, trace: Trace): Upstream {
  return {
    ...upstream,
    send: async (ask) => {
      const step = trace.step('ehr')
      const result = await upstream.send(carrying(ask, step.traceparent))
      step.end(
        result.kind === 'answer'
          ? { status: result.status }
          : { fault: result.fault, decision: 'failed' },
      )
      return result
    },
    stream: async (ask, begin) => {
      const step = trace.step('ehr')
      let status: number | undefined
      const result = await upstream
        .stream(carrying(ask, step.traceparent), (answered, headers) => {
          status = answered
          return begin(answered, headers)
        })
        .catch((error: unknown) => {
          step.end({ status, decision: 'failed' })
          throw error
        })
      const whole = result.kind === 'streamed' && result.whole
      const fault = result.kind === 'fault' ? result.fault : undefined
      step.end({ status, fault, decision: whole ? undefined : 'failed' })
      return result
    },
  }
}

const carrying = (ask: UpstreamAsk, traceparent: string | undefined): UpstreamAsk =>
  traceparent === undefined
    ? ask
    : { ...ask, headers: [...ask.headers, 'traceparent', traceparent] }

/** The launch is this browser's: the request joins its trace, with the trip to the store as its first step. */
export function traceOpening({ trace, startedAt }: Exchange, launch: string): void {
  trace?.belongsTo(launch)
  trace?.step('launch.open', startedAt).end({})
}

/** What is known of a request when its answer has gone. */
export function spanWordsOf({ view, request, refused, outgoing }: Exchange): SpanWords {
  const state = refused === undefined ? undefined : errorTable[refused].state
  const { statusCode: status, writableFinished: whole } = outgoing
  return {
    tenant: view?.tenant,
    resource: request?.resource,
    interaction: request?.interaction,
    state,
    status: outgoing.headersSent ? status : undefined,
    decision: decisionOf({ state, status, whole }),
  }
}
