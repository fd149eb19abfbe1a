import type { Tenant } from '../../config/schema/tenant.ts'
import type { Streamed, Upstream, UpstreamAnswer, UpstreamFault } from '../upstream.ts'
import { createEntrance } from './entrance.ts'

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
  const entrance = createEntrance(tenant, now, onCircuit)
  return {
    send: async (ask) => {
      const entering = entrance.enter(ask)
      const refused = entering instanceof Promise ? await entering : entering
      if (refused !== undefined) return refused
      try {
        let result = await plain.send(ask)
        // A connection that the EHR closed while idle is no failure of the EHR. Writes are never repeated.
        if (isBroken(result) && ask.method === 'GET') result = await plain.send(ask)
        if (result.kind === 'answer') {
          entrance.told(ask, result.status, result.headers)
          entrance.answered(ask, result.status)
        } else entrance.failed(ask, result)
        return result
      } finally {
        entrance.leave(ask)
      }
    },
    stream: async (ask, begin) => {
      const refused = await entrance.enter(ask)
      if (refused !== undefined) return refused
      let status = 0
      const noted: typeof begin = (received, headers) => {
        status = received
        entrance.told(ask, received, headers)
        return begin(received, headers)
      }
      try {
        const first = await plain.stream(ask, noted)
        const again = status === 0 && isBroken(first)
        const result = again ? await plain.stream(ask, noted) : first
        if (status === 0 && result.kind === 'fault') entrance.failed(ask, result)
        return result
      } finally {
        if (status !== 0) entrance.answered(ask, status)
        entrance.leave(ask)
      }
    },
    close: () => plain.close(),
  }
}

function isBroken(result: UpstreamAnswer | UpstreamFault | Streamed): boolean {
  return result.kind === 'fault' && result.fault === 'unreachable'
}
