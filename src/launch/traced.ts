import type { FastifyReply, FastifyRequest } from 'fastify'
import type { StepSpan, Trace, Tracing } from '../tracing/tracing.ts'
import { decisionOf, isUserState } from '../tracing/words.ts'

/** The steps of a launch as spans; it ends with the answer, whoever gives it. */
export function beginTrace(
  tracing: Tracing | undefined,
  name: 'launch' | 'callback',
  request: FastifyRequest,
  reply: FastifyReply,
): Trace | undefined {
  const { raw: incoming, incident } = request
  const trace = tracing?.begin(name, { incoming, incident })
  if (trace === undefined) return undefined
  reply.raw.once('close', () => {
    const header = reply.getHeader('smart-bff-state')
    const state = isUserState(header) ? header : undefined
    const { statusCode: status, writableFinished: whole } = reply.raw
    const decision = decisionOf({ state, status, whole })
    trace.end({ tenant: request.tenant, state, status, decision })
  })
  return trace
}

export async function traceStep<T>(
  trace: Trace | undefined,
  name: StepSpan,
  work: () => Promise<T>,
): Promise<T> {
  if (trace === undefined) return work()
  const step = trace.step(name)
  try {
    const result = await work()
    step.end({ decision: 'allowed' })
    return result
  } catch (error) {
    step.end({ decision: 'failed' })
    throw error
  }
}
