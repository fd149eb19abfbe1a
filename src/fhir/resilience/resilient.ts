import type { Tenant } from '../../config/schema/tenant.ts'
import type { Upstream, UpstreamAnswer, UpstreamAsk, UpstreamFault } from '../upstream.ts'
import { createCircuit } from './circuit.ts'
import type { Circuit } from './circuit.ts'
import { createGate } from './gate.ts'

/**
 * An upstream that stays well when the EHR does not: a bounded queue with turns for each launch, a circuit, and one
 * retry of a read that met a broken connection.
 */
export function createResilientUpstream(
  plain: Upstream,
  tenant: Tenant,
  now: () => number,
  onCircuit: (open: boolean) => void,
): Upstream {
  const { connections, timeoutMs, circuit: limits } = tenant.upstream
  const circuit = createCircuit(limits, now, onCircuit)
  const gate = createGate({
    atOnce: connections,
    waiting: connections * 16,
    waitingPerLaunch: Math.max(16, connections * 2),
    waitMs: timeoutMs,
  })

  return {
    send: async (ask) => {
      if (!(await gate.enter(ask.launch))) return { kind: 'fault', fault: 'busy', sent: false }
      try {
        if (!circuit.enter()) {
          const retryAfter = circuit.retryAfterSeconds()
          return { kind: 'fault', fault: 'circuit', sent: false, retryAfter }
        }
        const result = await sendOnceOrTwice(plain, ask)
        note(circuit, ask.launch, result)
        return result
      } finally {
        gate.leave()
      }
    },
    stream: async (ask, begin) => {
      if (!(await gate.enter(ask.launch))) return { kind: 'fault', fault: 'busy', sent: false }
      try {
        return await plain.stream(ask, begin)
      } finally {
        gate.leave()
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
  const broken = first.kind === 'fault' && first.fault === 'unreachable'
  return broken && ask.method === 'GET' ? plain.send(ask) : first
}

function note(circuit: Circuit, launch: string, result: UpstreamAnswer | UpstreamFault): void {
  if (result.kind === 'answer') {
    if (result.status >= 502 && result.status <= 504) circuit.failure(launch)
    else circuit.success()
  } else if (result.fault === 'unreachable' || result.fault === 'timeout') circuit.failure(launch)
  else circuit.cancel()
}
