import type { FastifyPluginAsync } from 'fastify'
import type { IngestProgress } from '../audit/search-index/ingest.ts'
import type { SearchIndex } from '../audit/search-index/search-index.ts'
import type { StartedAudit } from '../audit/start-audit.ts'
import type { LogReport, Verification } from '../audit/verify.ts'
import { completeness } from './find-routes.ts'
import { duration } from './story.ts'
import { inZone } from './time-zone.ts'
import type { Guard, Visit, VisitDeps } from './visit.ts'

/** Whether the audit is whole, and how far its copies are behind. */
export interface StateRoutesDeps extends VisitDeps {
  readonly guard: Guard
  readonly index: SearchIndex
  readonly audit: Pick<StartedAudit, 'record' | 'healthy' | 'status' | 'copies'>
  /** When the last checkpoint of this replica was written; undefined before the first. */
  readonly checkpointAt: () => Promise<number | undefined>
  readonly verify: () => Promise<Verification>
}

interface Verified {
  readonly at: number
  readonly took: number
  readonly by: string
  readonly logs: readonly LogReport[]
}

export function stateRoutes(deps: StateRoutesDeps): FastifyPluginAsync {
  const { guard } = deps
  const verification = createVerification(deps)
  return async (server) => {
    server.get(
      '/integrity',
      guard('integrity', (visit) => integrity(deps, visit, verification.last())),
    )
    server.post(
      '/integrity',
      guard('integrity', async (visit) =>
        integrity(deps, visit, await verification.run(visit.member.name)),
      ),
    )
  }
}

/** One at a time, however many ask: it reads every file. What was found stays to be seen. */
function createVerification({ verify, now }: StateRoutesDeps) {
  let last: Verified | undefined
  let underway: Promise<Verified> | undefined

  async function verifyAll(by: string): Promise<Verified> {
    const at = now()
    try {
      const { logs } = await verify()
      last = { at, took: now() - at, by, logs }
      return last
    } finally {
      underway = undefined
    }
  }
  return {
    last: () => last,
    run: (by: string) => (underway ??= verifyAll(by)),
  }
}

async function integrity(deps: StateRoutesDeps, visit: Visit, verified: Verified | undefined) {
  const { index, audit, checkpointAt, now } = deps
  const progress = await index.update()
  const sealedAt = await checkpointAt()
  // Before the record of this view: that one is always still on its way.
  const copies = audit.copies()
  await visit.record({
    event: 'staff.viewed',
    outcome: 'success',
    parameters: [
      { name: 'page', value: 'integrity' },
      ...(visit.request.method === 'POST' ? [{ name: 'action', value: 'verified' }] : []),
    ],
  })
  const { zone } = visit
  const time = (at: number): string => `${inZone(at, zone).slice(0, 19)} ${zone}`
  const { head, sealed, file } = audit.status()
  return visit.show('integrity', 'Integrity', {
    healthy: audit.healthy(),
    file,
    head,
    sealed,
    unsealed: head.seq - sealed,
    sealedAt:
      sealedAt === undefined ? null : `${time(sealedAt)}, ${duration(now() - sealedAt)} ago`,
    index: lagOf(progress, time),
    copies: copiesOf(copies, time),
    complete: completeness(progress, now(), zone),
    verified:
      verified === undefined
        ? null
        : {
            when: time(verified.at),
            took: duration(verified.took),
            by: verified.by,
            whole: verified.logs.every(({ faults }) => faults.length === 0),
            logs: verified.logs.map(reportOf),
          },
  })
}

function lagOf(progress: IngestProgress, time: (at: number) => string): string {
  const { behind, unreadable, failing, unreadSince } = progress
  if (failing) return 'cannot be brought up to date; what is newest may be missing'
  return [
    behind === 0 ? 'up to date with the files here' : `${String(behind)} files behind`,
    ...(unreadSince === undefined ? [] : [`other replicas not read since ${time(unreadSince)}`]),
    ...(unreadable === 0 ? [] : [`${String(unreadable)} lines are no records`]),
  ].join('; ')
}

const copyNames = {
  stream: { name: 'To the other replicas’ indexes', unit: 'bytes' },
  stdout: { name: 'Standard output', unit: 'bytes' },
  repository: { name: 'Audit Record Repository', unit: 'batches' },
} as const

/** How far each copy is behind, and what it lost for good. */
function copiesOf(copies: ReturnType<StartedAudit['copies']>, time: (at: number) => string) {
  return Object.entries(copyNames).flatMap(([key, { name, unit }]) => {
    const status = Object.entries(copies).find(([one]) => one === key)?.[1]
    if (status === undefined) return []
    const { waiting, lost, failingSince } = status
    const words = [
      waiting === 0 ? 'up to date' : `${waiting.toLocaleString('en')} ${unit} wait`,
      ...(failingSince === undefined ? [] : [`fails since ${time(failingSince)}`]),
      ...(lost === 0 ? [] : [`${lost.toLocaleString('en')} lost; the files have them`]),
    ]
    return [{ name, words: words.join('; '), bad: failingSince !== undefined || lost > 0 }]
  })
}

function reportOf({ instance, records, sealed, faults }: LogReport) {
  const [fault] = faults
  const more = faults.length > 1 ? `, and ${String(faults.length - 1)} more` : ''
  const sentence =
    fault === undefined
      ? 'whole'
      : `BROKEN at record ${String(fault.seq)} (${fault.file} line ${String(fault.line)}): ${fault.kind}${more}`
  return { instance, records, sealed, broken: fault !== undefined, sentence }
}
