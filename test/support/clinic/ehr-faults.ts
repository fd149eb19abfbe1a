import type { Clinic } from './clinic.ts'
import type { ClinicFault } from './faults.ts'
import { atLeast, connection, type Evidence, exactly, sinceNow } from './signs.ts'

const nothing = /^$/
const unavailable = /: 50[0234] data_unavailable$/
const unavailableOrBusy = /: (50[0234]|429) data_unavailable$/
/** The EHR's own pages are down too, so a launch may end at one of them. */
const ehrDown = /: (50[0234]|429) data_unavailable$|launch: (503$|lost)/

type Fault = Parameters<Clinic['deployment']['sandbox']['control']['setFaults']>[0][number]

export const createEhrFaults = (timeoutMs: number): readonly ClinicFault[] => [
  {
    name: 'the EHR is slow',
    ...set({ where: 'fhir', kind: 'delay', delayMs: timeoutMs / 3 }, (clinic) =>
      slowAnswers(clinic, timeoutMs / 3),
    ),
    maySee: nothing,
  },
  {
    name: 'the EHR is too slow',
    ...set({ where: 'fhir', kind: 'delay', delayMs: timeoutMs * 1.5 }, (clinic) =>
      outcomes(clinic, 'timeout', 'requests to it that ran out of time'),
    ),
    maySee: unavailableOrBusy,
  },
  {
    name: 'the EHR answers 503',
    ...set({ where: 'any', kind: 'status', status: 503 }, (clinic) =>
      outcomes(clinic, '5xx', 'answers of it with 503'),
    ),
    maySee: ehrDown,
  },
  {
    name: 'the EHR resets connections',
    ...set({ where: 'any', kind: 'reset' }, async (clinic) => {
      const reset = happened(clinic, 'reset')
      const lost = await outcomes(clinic, 'unreachable', 'requests that were lost with them')
      return async () => [atLeast(1, 'connections that it reset', reset()), ...(await lost())]
    }),
    maySee: ehrDown,
  },
  createEhrGone(),
  {
    name: 'the token endpoint fails, and tokens have run out',
    ...set({ where: 'token', kind: 'status', status: 500 }, async (clinic) => {
      const failed = happened(clinic, 'status')
      const uncertain = await sinceNow(clinic, 'token_refreshes_total', 'result="uncertain"')
      // It is felt by those who need a new token: everybody, then.
      clinic.deployment.sandbox.control.revoke('access')
      return async () => [
        atLeast(1, 'token requests that it answered with 500', failed()),
        atLeast(1, 'refreshes that it left uncertain', await uncertain()),
      ]
    }),
    maySee: unavailable,
  },
]

function createEhrGone(): ClinicFault {
  return {
    name: 'the EHR is gone: connections are refused',
    begin: async (clinic) => {
      const { sandbox } = clinic.deployment
      const lost = await outcomes(clinic, 'unreachable', 'requests that reached nobody')
      await sandbox.shut()
      const port = Number(new URL(sandbox.origin).port)
      return async () => [
        exactly('ECONNREFUSED', 'a connection to it', await connection(port)),
        ...(await lost()),
      ]
    },
    end: ({ deployment }) => deployment.sandbox.open(),
    maySee: ehrDown,
  }
}

function set(
  fault: Fault,
  watch: (clinic: Clinic) => Promise<Evidence>,
): Pick<ClinicFault, 'begin' | 'end'> {
  return {
    begin: async (clinic) => {
      const evidence = await watch(clinic)
      clinic.deployment.sandbox.control.setFaults([fault])
      return evidence
    },
    end: async ({ deployment }) => deployment.sandbox.control.setFaults([]),
  }
}

/** What smart-bff measured of the EHR, by outcome. */
async function outcomes(clinic: Clinic, outcome: string, what: string): Promise<Evidence> {
  const count = await sinceNow(clinic, 'upstream_seconds_count', `outcome="${outcome}"`)
  return async () => [atLeast(1, what, await count())]
}

/** Bounds of the histogram, in seconds; a fault's delay is well above one of them. */
const bounds = [0.25, 0.5, 1]

/** Most answers took so long, by smart-bff's own watch; the first few were on their way before. */
async function slowAnswers(clinic: Clinic, delayMs: number): Promise<Evidence> {
  const bound = bounds.findLast((one) => one * 1000 < delayMs) ?? 0
  const all = await sinceNow(clinic, 'upstream_seconds_count')
  const quick = await sinceNow(clinic, 'upstream_seconds_bucket', `le="${bound}"`)
  return async () => {
    const [total, quicker] = [await all(), await quick()]
    return [
      {
        what: `answers of it that took over ${bound} s`,
        seen: `${total - quicker} of ${total}`,
        shown: total - quicker > total / 2,
      },
    ]
  }
}

/** Counts in the EHR's own log. */
function happened({ deployment }: Clinic, fault: string): () => number {
  const { sandbox } = deployment
  const since = new Date().toISOString()
  return () => sandbox.requests().filter((one) => one.fault === fault && one.at >= since).length
}
