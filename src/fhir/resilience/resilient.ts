import type { Tenant } from '../../config/schema/tenant.ts'
import type { Streamed, Upstream, UpstreamAnswer, UpstreamAsk, UpstreamFault } from '../upstream.ts'
import { createCircuit } from './circuit.ts'
import type { Circuit } from './circuit.ts'
import { createGate } from './gate.ts'
import { createPatience } from './patience.ts'

/**
 * An upstream that stays well when the EHR does not: a bounded queue with turns for each launch, a circuit, patience
 * where the EHR asks for it, and one retry of a read that met a broken connection.
 */
export function createResilientUpstream(
  plain: Upstream,
  tenant: Tenant,
  now: () => number,
  onCircuit: (open: boolean) => void,
): Upstream {
  const { connections, timeoutMs, circuit: limits } = tenant.upstream
  const circuit = createCircuit(limits, now, onCircuit)
  const patience = createPatience(now)
  const gate = createGate({
    atOnce: connections,
    // A quarter is always left to the others.
    atOncePerLaunch: Math.max(1, connections - (connections >> 2)),
    waiting: connections * 16,
    waitingPerLaunch: Math.max(16, connections * 8),
    waitMs: timeoutMs,
  })

  /** Undefined: go. The gate has then been entered, and the circuit too. */
  const enter = async ({ launch, listener }: UpstreamAsk): Promise<UpstreamFault | undefined> => {
    const told = patience.left(launch)
    if (told !== undefined) {
      const fault = told.status === 429 ? 'throttled' : 'circuit'
      return { kind: 'fault', fault, sent: false, retryAfter: told.seconds }
    }
    if (!(await gate.enter(launch, listener))) {
      return { kind: 'fault', fault: listener.gone ? 'gone' : 'busy', sent: false }
    }
    if (circuit.enter()) return undefined
    gate.leave(launch)
    return { kind: 'fault', fault: 'circuit', sent: false, retryAfter: circuit.retryAfterSeconds() }
  }

  return {
    send: async (ask) => {
      const refused = await enter(ask)
      if (refused !== undefined) return refused
      try {
        const result = await sendOnceOrTwice(plain, ask)
        if (result.kind === 'answer') {
          patience.told(ask.launch, result.status, result.headers.retryAfter)
          noteStatus(circuit, ask.launch, result.status)
        } else noteFault(circuit, ask.launch, result)
        return result
      } finally {
        gate.leave(ask.launch)
      }
    },
    stream: async (ask, begin) => {
      const refused = await enter(ask)
      if (refused !== undefined) return refused
      let status = 0
      const noted: typeof begin = (received, headers) => {
        status = received
        patience.told(ask.launch, received, headers.retryAfter)
        return begin(received, headers)
      }
      try {
        const first = await plain.stream(ask, noted)
        const again = status === 0 && isBroken(first)
        const result = again ? await plain.stream(ask, noted) : first
        if (status === 0 && result.kind === 'fault') noteFault(circuit, ask.launch, result)
        return result
      } finally {
        if (status !== 0) noteStatus(circuit, ask.launch, status)
        gate.leave(ask.launch)
      }
    },
    close: () => plain.close(),
  }
}

/** A connection that the EHR closed while idle is no failure of the EHR. Writes are never repeated. */
async function sendOnceOrTwice(
  plain: Upstream,
  ask: UpstreamAsk,
): Promise<UpstreamAnswer | UpstreamFault> {
  const first = await plain.send(ask)
  return isBroken(first) && ask.method === 'GET' ? plain.send(ask) : first
}

function isBroken(result: UpstreamAnswer | UpstreamFault | Streamed): boolean {
  return result.kind === 'fault' && result.fault === 'unreachable'
}

function noteStatus(circuit: Circuit, launch: string, status: number): void {
  if (status >= 502 && status <= 504) circuit.failure(launch)
  else circuit.success()
}

function noteFault(circuit: Circuit, launch: string, { fault }: UpstreamFault): void {
  if (fault === 'unreachable' || fault === 'timeout') circuit.failure(launch)
  else circuit.cancel()
}
