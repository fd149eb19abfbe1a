import type { Interaction } from '../smart/interactions.ts'
import type { Coverage } from '../smart/scopes.ts'
import type { Bound } from './steps/bind.ts'
import type { LaunchView } from './view.ts'

/** What the answer to one request may hold; made from the decisions, used by the guard. */
export interface Expectation {
  /** `resource`: one record, asked for by its id. `any`: an operation's answer, a bundle or one resource. */
  readonly shape: 'resource' | 'search' | 'history' | 'any'
  readonly resource: string
  readonly id: string | undefined
  readonly version: string | undefined
  readonly patient: string | undefined
  readonly base: string
  readonly onForeign: 'refuse' | 'drop'
  /** What scopes and rules together say of records of a type in this answer. */
  permits(type: string): Coverage
}

const none: Coverage = { kind: 'none' }

export function expectationOf(bound: Bound, view: LaunchView): Expectation {
  const { request, included, coverage } = bound
  const resource = request.resource ?? ''
  const operation = request.interaction === 'operation'
  // Mostly nothing is asked about but the type that was asked for.
  let known: Map<string, Coverage> | undefined
  const judge = (type: string): Coverage => {
    // The operation's own rule stands for every type it answers with.
    if (operation) return both(view.covers(type, 'r'), view.covers(type, 's'))
    const found = included.has(type) || included.has('*') || hasRule(view, type)
    return found ? readable(view, type) : none
  }
  return {
    shape: shapes[request.interaction] ?? 'search',
    resource,
    id: request.id,
    version: request.version,
    patient: view.patient,
    base: view.base,
    onForeign: view.tenant.guard,
    permits: (type) => {
      if (type === resource && !operation) return coverage
      const answer = known?.get(type) ?? judge(type)
      known ??= new Map()
      known.set(type, answer)
      return answer
    },
  }
}

const shapes: Readonly<Partial<Record<Interaction, Expectation['shape']>>> = {
  read: 'resource',
  vread: 'resource',
  create: 'resource',
  update: 'resource',
  patch: 'resource',
  delete: 'resource',
  'history-instance': 'history',
  'history-type': 'history',
  operation: 'any',
}

/** Read and search (fhir-access-and-audit.md 1.12, row 23). */
function both(read: Coverage, search: Coverage): Coverage {
  if (read.kind === 'none' || search.kind === 'none') return none
  if (read.kind === 'all') return search
  if (search.kind === 'all') return read
  const alternatives = read.alternatives.flatMap((one) =>
    search.alternatives.map((other) => [...one, ...other]),
  )
  return { kind: 'part', alternatives }
}

/** What the app could have asked for itself it may also be given along with something else. */
function hasRule(view: LaunchView, type: string): boolean {
  const rules = view.rules.get(type) ?? []
  return rules.some(
    ({ interactions }) => interactions.includes('read') || interactions.includes('search-type'),
  )
}

/** Read or search: either letter shows the record. */
function readable(view: LaunchView, type: string): Coverage {
  const read = view.covers(type, 'r')
  const search = view.covers(type, 's')
  if (read.kind === 'none' || search.kind === 'all') return search
  if (search.kind === 'none' || read.kind === 'all') return read
  return { kind: 'part', alternatives: [...read.alternatives, ...search.alternatives] }
}
