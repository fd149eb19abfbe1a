import type { Tenant } from '../../config/schema/tenant.ts'
import type { AnswerHeaders, UpstreamAsk, UpstreamFault } from '../upstream.ts'
import { createCircuit } from './circuit.ts'
import { createGate } from './gate.ts'
import { createPatience } from './patience.ts'

/** What stands before a tenant's EHR: patience where it asks for it, the queue with turns for each launch, the circuit. */
export interface Entrance {
  /** Undefined: go, and call `leave` afterwards, and one of `answered` and `failed` before. */
  enter(ask: UpstreamAsk): UpstreamFault | undefined | Promise<UpstreamFault | undefined>
  /** The head of an answer has come. */
  told(ask: UpstreamAsk, status: number, headers: AnswerHeaders): void
  answered(ask: UpstreamAsk, status: number): void
  failed(ask: UpstreamAsk, fault: UpstreamFault): void
  leave(ask: UpstreamAsk): void
}

export function createEntrance(
  tenant: Tenant,
  now: () => number,
  onCircuit: (open: boolean) => void,
): Entrance {
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

  const pass = (
    admitted: boolean,
    { launch, listener }: UpstreamAsk,
  ): UpstreamFault | undefined => {
    if (!admitted) return { kind: 'fault', fault: listener.gone ? 'gone' : 'busy', sent: false }
    if (circuit.enter()) return undefined
    gate.leave(launch)
    return { kind: 'fault', fault: 'circuit', sent: false, retryAfter: circuit.retryAfterSeconds() }
  }

  return {
    enter: (ask) => {
      const told = patience.left(ask.launch)
      if (told !== undefined) {
        const fault = told.status === 429 ? 'throttled' : 'circuit'
        return { kind: 'fault', fault, sent: false, retryAfter: told.seconds }
      }
      const admitted = gate.enter(ask.launch, ask.listener)
      return typeof admitted === 'boolean'
        ? pass(admitted, ask)
        : admitted.then((yes) => pass(yes, ask))
    },
    told: ({ launch }, status, { retryAfter }) => patience.told(launch, status, retryAfter),
    answered: ({ launch }, status) => {
      if (status >= 502 && status <= 504) circuit.failure(launch)
      else circuit.success()
    },
    failed: ({ launch }, { fault }) => {
      if (fault === 'unreachable' || fault === 'timeout') circuit.failure(launch)
      else circuit.cancel()
    },
    leave: ({ launch }) => gate.leave(launch),
  }
}
