import { OperationOutcomeError, gone, notFound } from '@medplum/core'
import { MemoryRepository } from '@medplum/fhir-router'
import type { Record as SyntheticRecord } from '../patients/generate.ts'
import { subjectOf } from './subject.ts'
import type { Resource, ResourceType, Stored } from './types.ts'

/**
 * One memory repository per patient and one for patient-free types: a search in one chart then looks at that chart
 * only (a `patient=` filter over 400 resources costs 430 ms, choosing the repository costs nothing).
 */
export interface Store {
  find(type: string, id: string): Promise<Held>
  /** Every repository, or the one of a patient. */
  repositories(patient?: string): readonly [owner: string | undefined, MemoryRepository][]
  create<T extends Resource>(resource: T): Promise<Stored<T>>
  update<T extends Resource>(resource: T): Promise<Stored<T>>
  remove(type: string, id: string): Promise<void>
  /** All versions, newest first. */
  history(type: string, id: string): Promise<readonly Stored[]>
  types(): readonly ResourceType[]
  /** Runs writes together: when one fails, none has happened. */
  together<T>(work: () => Promise<T>): Promise<T>
}

export interface Held {
  readonly resource: Stored
  readonly owner: string | undefined
}

export async function createStore(records: readonly SyntheticRecord[]): Promise<Store> {
  let charts = new Map<string | undefined, MemoryRepository>()
  let owners = new Map<string, string | undefined>()
  let removed = new Set<string>()
  const types = new Set<ResourceType>()

  const chart = (owner: string | undefined): MemoryRepository => {
    const existing = charts.get(owner)
    if (existing) return existing
    const fresh = new MemoryRepository()
    charts.set(owner, fresh)
    return fresh
  }
  const holding = (type: string, id: string): [string | undefined, MemoryRepository] => {
    const key = `${type}/${id}`
    if (removed.has(key)) throw new OperationOutcomeError(gone)
    if (!owners.has(key)) throw new OperationOutcomeError(notFound)
    const owner = owners.get(key)
    return [owner, chart(owner)]
  }
  const note = (resource: Stored, owner: string | undefined): void => {
    owners.set(`${resource.resourceType}/${resource.id}`, owner)
    types.add(resource.resourceType)
  }

  for (const { resource, owner } of records) {
    const repository = chart(owner)
    await repository.withSeeding(() => repository.createResource(resource))
    note(resource, owner)
  }

  const store: Store = {
    async find(type, id) {
      const [owner, repository] = holding(type, id)
      return { owner, resource: await repository.readResource<Stored>(type, id) }
    },
    repositories: (patient) =>
      patient === undefined
        ? [...charts.entries()]
        : [...charts.entries()].filter(([owner]) => owner === patient),
    async create(resource) {
      const id = resource.id ?? new MemoryRepository().generateId()
      const owner = resource.resourceType === 'Patient' ? id : subjectOf(resource)
      const created = await chart(owner).createResource({ ...resource, id })
      note(created, owner)
      removed.delete(`${resource.resourceType}/${id}`)
      return created
    },
    async update(resource) {
      const [, repository] = holding(resource.resourceType, resource.id ?? '')
      return repository.updateResource(resource)
    },
    async remove(type, id) {
      const [, repository] = holding(type, id)
      await repository.deleteResource(type, id)
      removed.add(`${type}/${id}`)
    },
    async history(type, id) {
      const [, repository] = holding(type, id)
      const bundle = await repository.readHistory<Stored>(type, id)
      // The repository turns its own list around at every call, so the order is settled here.
      return (bundle.entry ?? [])
        .flatMap(({ resource }) => (resource ? [resource] : []))
        .toSorted((a, b) => (b.meta?.lastUpdated ?? '').localeCompare(a.meta?.lastUpdated ?? ''))
    },
    types: () => [...types].toSorted(),
    async together(work) {
      const before = { charts, owners, removed }
      charts = await copy(charts)
      owners = new Map(owners)
      removed = new Set(removed)
      try {
        return await work()
      } catch (error) {
        ;({ charts, owners, removed } = before)
        throw error
      }
    },
  }
  return store
}

/** A copy in which writes do not touch the original, histories included. */
async function copy(
  charts: ReadonlyMap<string | undefined, MemoryRepository>,
): Promise<Map<string | undefined, MemoryRepository>> {
  const copies = new Map<string | undefined, MemoryRepository>()
  for (const [owner, repository] of charts) {
    const fresh = new MemoryRepository()
    const inner = repository as unknown as Contents
    const target = fresh as unknown as Contents
    for (const [type, list] of inner.resources) target.resources.set(type, new Map(list))
    for (const [type, versions] of inner.history) {
      target.history.set(
        type,
        new Map([...versions].map(([id, list]): [string, Resource[]] => [id, [...list]])),
      )
    }
    copies.set(owner, fresh)
  }
  return copies
}

/** What a MemoryRepository holds; it has no way of its own to be copied. */
interface Contents {
  readonly resources: Map<string, Map<string, Resource>>
  readonly history: Map<string, Map<string, Resource[]>>
}
