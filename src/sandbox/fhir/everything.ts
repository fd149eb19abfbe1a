import { OperationOutcomeError, forbidden, notFound } from '@medplum/core'
import type { Access } from './access.ts'
import type { Store } from './store.ts'
import type { Bundle, Resource } from './types.ts'

/**
 * `Patient/<id>/$everything`: the patient's whole chart and the patient-free resources it refers to, as far as the
 * token's scopes reach. `_type`, `_count` and `_offset` are honoured.
 */
export async function everything(
  store: Store,
  access: Access,
  patient: string,
  query: URLSearchParams,
): Promise<Bundle> {
  if (!access.covers('r', 'Patient')) throw new OperationOutcomeError(forbidden)
  const { resource } = await store.find('Patient', patient)
  if (!access.may('r', resource, patient)) throw new OperationOutcomeError(notFound)
  const types = query.get('_type')?.split(',')
  const chart = await wholeChart(store, patient)
  const referenced = await mentioned(store, chart)
  const visible = [...chart, ...referenced].filter(
    (one) =>
      (types === undefined || types.includes(one.resourceType)) &&
      access.may('r', one, chart.includes(one) ? patient : undefined),
  )
  const offset = Number(query.get('_offset') ?? 0)
  const count = query.has('_count') ? Number(query.get('_count')) : visible.length
  return {
    resourceType: 'Bundle',
    type: 'searchset',
    total: visible.length,
    entry: visible
      .slice(offset, offset + count)
      .map((one) => ({ resource: one, search: { mode: 'match' } })),
  }
}

async function wholeChart(store: Store, patient: string): Promise<Resource[]> {
  const all: Resource[] = []
  for (const [, repository] of store.repositories(patient)) {
    for (const resourceType of store.types()) {
      const bundle = await repository.search<Resource>({ resourceType })
      all.push(...(bundle.entry ?? []).flatMap(({ resource }) => (resource ? [resource] : [])))
    }
  }
  return all.toSorted((a, b) => rank(a) - rank(b))
}

const rank = ({ resourceType }: Resource): number => (resourceType === 'Patient' ? 0 : 1)

async function mentioned(store: Store, chart: readonly Resource[]): Promise<Resource[]> {
  const text = JSON.stringify(chart)
  const shared = text.matchAll(
    /"((?:Practitioner|Organization|Location|Medication)\/[A-Za-z0-9.-]+)"/g,
  )
  const references = new Set([...shared].map(([, reference]) => reference ?? ''))
  const found = await Promise.all([...references].map((reference) => read(store, reference)))
  return found.flat()
}

/** Nothing where it was removed, or never here: a chart may refer to what no server has. */
async function read(store: Store, reference: string): Promise<Resource[]> {
  const [type = '', id = ''] = reference.split('/')
  try {
    return [(await store.find(type, id)).resource]
  } catch (error) {
    if (error instanceof OperationOutcomeError) return []
    throw error
  }
}
