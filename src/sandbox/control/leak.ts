import type { Store } from '../fhir/store.ts'
import type { Resource, ResourceType } from '../fhir/types.ts'
import type { Answer, Request } from '../http.ts'
import type { SyntheticPatient } from '../patients/generate.ts'
import type { Fault, LeakPosition } from './faults.ts'

interface LeakDeps {
  readonly store: Store
  readonly patients: readonly SyntheticPatient[]
}

type Leak = Extract<Fault, { kind: 'leak' }>
type Json = Record<string, unknown>

/** A FHIR answer with a record of another patient in it, as a confused or compromised EHR might send it. */
export async function leaked(
  deps: LeakDeps,
  fault: Leak,
  request: Request,
  answer: Answer,
): Promise<Answer> {
  if (answer.status >= 300 || typeof answer.body !== 'string') return answer
  const whole = JSON.parse(answer.body) as Json
  const type = /^\/fhir\/r4\/(?:Patient\/[^/]+\/)?([A-Z][A-Za-z]+)/.exec(request.url.pathname)?.[1]
  const own = deps.patients.find(({ id }) => answer.body.includes(`Patient/${id}`))
  const foreign = await foreignRecord(deps, type ?? 'Observation', fault.patient, own?.id)
  if (foreign === undefined) return answer
  return { ...answer, body: JSON.stringify(placed(whole, foreign, fault.position)) }
}

/** A record of the wanted type about another patient; that patient's own Patient resource otherwise. */
async function foreignRecord(
  { store, patients }: LeakDeps,
  type: string,
  wanted: string | undefined,
  own: string | undefined,
): Promise<Resource | undefined> {
  const candidates =
    wanted === undefined ? patients.filter(({ id }) => id !== own) : [{ id: wanted }]
  for (const { id } of candidates) {
    for (const resourceType of [type, 'Patient'] as ResourceType[]) {
      const [chart] = store.repositories(id)
      const bundle = await chart?.[1].search<Resource>({ resourceType, count: 1 })
      const resource = bundle?.entry?.[0]?.resource
      if (resource && !(resourceType === 'Patient' && type !== 'Patient' && !wanted))
        return resource
    }
  }
  return undefined
}

function placed(whole: Json, foreign: Resource, position: LeakPosition): unknown {
  const entries = Array.isArray(whole['entry']) ? (whole['entry'] as Json[]) : []
  const entry = (mode: string): Json => ({ resource: foreign, search: { mode } })
  switch (position) {
    case 'entry':
      return { ...whole, entry: [...entries, entry('match')] }
    case 'first-entry':
      return { ...whole, entry: [entry('match'), ...entries] }
    case 'include':
      return { ...whole, entry: [...entries, entry('include')] }
    case 'outcome-entry':
      return { ...whole, entry: [...entries, entry('outcome')] }
    case 'history':
      return { ...whole, type: 'history', entry: [...entries, { resource: foreign }] }
    case 'instead':
      return entries.length > 0 ? { ...whole, entry: [entry('match')] } : foreign
    case 'contained':
      return onOne(whole, entries, (resource) => ({
        ...resource,
        contained: [{ ...foreign, id: 'leaked' }],
      }))
    case 'subject-only': {
      const subject =
        (foreign as unknown as Json)['subject'] ?? (foreign as unknown as Json)['patient']
      return onOne(whole, entries, (resource) =>
        'patient' in resource ? { ...resource, patient: subject } : { ...resource, subject },
      )
    }
    case 'nested-bundle': {
      const inner = { resourceType: 'Bundle', type: 'collection', entry: [{ resource: foreign }] }
      return { ...whole, entry: [...entries, { resource: inner, search: { mode: 'match' } }] }
    }
    case 'parameters':
      return {
        resourceType: 'Parameters',
        parameter: [
          { name: 'return', resource: whole },
          { name: 'also', part: [{ name: 'hidden', resource: foreign }] },
        ],
      }
  }
}

/** Changes the last entry's resource, or the resource itself where the answer is not a Bundle. */
function onOne(whole: Json, entries: Json[], change: (resource: Json) => Json): Json {
  const last = entries.at(-1)
  if (last === undefined) return change(whole)
  return {
    ...whole,
    entry: [...entries.slice(0, -1), { ...last, resource: change(last['resource'] as Json) }],
  }
}
