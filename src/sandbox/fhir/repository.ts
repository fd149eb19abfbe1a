import type { SearchRequest, WithId } from '@medplum/core'
import {
  OperationOutcomeError,
  allOk,
  badRequest,
  created,
  forbidden,
  gone,
  multipleMatches,
  notFound,
  preconditionFailed,
} from '@medplum/core'
import { FhirRepository, MemoryRepository } from '@medplum/fhir-router'
import type { Access } from './access.ts'
import { patientFree } from './access.ts'
import { included } from './include.ts'
import type { Action } from './scopes.ts'
import { matchNames, patientsNamed, sorted, withoutHandled } from './search.ts'
import type { Held, Store } from './store.ts'
import { subjectOf } from './subject.ts'
import type { BundleEntry, OperationOutcome, Resource } from './types.ts'

type UpdateOptions = { ifMatch?: string }
type Search<T extends Resource> = SearchRequest<T>

/**
 * The store as one access token sees it. Every way in (read, search, batch, include) passes through here, so scopes
 * and patient context hold without the routes knowing of them.
 */
export class GuardedRepository extends FhirRepository {
  readonly #store: Store
  readonly #access: Access
  readonly #onlyNew: boolean

  /** `onlyNew`: an update may create and nothing else (RFC 9110 13.1.2, `If-None-Match: *`). */
  constructor(store: Store, access: Access, onlyNew = false) {
    super()
    this.#store = store
    this.#access = access
    this.#onlyNew = onlyNew
  }

  setMode(): void {}

  generateId(): string {
    return new MemoryRepository().generateId()
  }

  async createResource<T extends Resource>(resource: T): Promise<WithId<T>> {
    this.#must('c', resource, subjectOf(resource))
    return this.#store.create<T>(resource)
  }

  async readResource<T extends Resource>(type: string, id: string): Promise<WithId<T>> {
    return (await this.#readable(type, id)).resource as WithId<T>
  }

  async readReference<T extends Resource>({
    reference = '',
  }: {
    reference?: string
  }): Promise<WithId<T>> {
    const [type = '', id = ''] = reference.split('/').slice(-2)
    return this.readResource<T>(type, id)
  }

  async readReferences<T extends Resource>(
    references: readonly { reference?: string }[],
  ): Promise<(T | Error)[]> {
    return Promise.all(
      references.map((reference) =>
        this.readReference<T>(reference).catch(() => new OperationOutcomeError(notFound)),
      ),
    )
  }

  async readHistory<T extends Resource>(type: string, id: string): Promise<BundleOf<T>> {
    await this.#readable(type, id)
    const versions = await this.#store.history(type, id)
    return {
      resourceType: 'Bundle',
      type: 'history',
      total: versions.length,
      entry: versions.map((resource) => ({ resource: resource as unknown as WithId<T> })),
    }
  }

  async readVersion<T extends Resource>(
    type: string,
    id: string,
    version: string,
  ): Promise<WithId<T>> {
    await this.#readable(type, id)
    const versions = await this.#store.history(type, id)
    const found = versions.find(({ meta }) => meta?.versionId === version)
    if (found === undefined) throw new OperationOutcomeError(notFound)
    return found as unknown as WithId<T>
  }

  async updateResource<T extends Resource>(
    resource: T,
    { ifMatch }: UpdateOptions = {},
  ): Promise<WithId<T>> {
    const { id = '', resourceType: type } = resource
    const current = await this.#store.find(type, id).catch(onlyMissing)
    if (current === undefined) return this.#createNamed(resource, ifMatch)
    this.#must('u', current.resource, current.owner)
    this.#must('u', resource, current.owner)
    if (!patientFree.has(type) && subjectOf(resource) !== current.owner) {
      throw new OperationOutcomeError(badRequest('The subject of a resource does not change'))
    }
    if (this.#onlyNew) throw new OperationOutcomeError(preconditionFailed)
    checkVersion(current, ifMatch)
    return this.#store.update<T>(resource)
  }

  async deleteResource(type: string, id: string, { ifMatch }: UpdateOptions = {}): Promise<void> {
    const current = await this.#store.find(type, id)
    this.#must('d', current.resource, current.owner)
    checkVersion(current, ifMatch)
    await this.#store.remove(type, id)
  }

  async patchResource<T extends Resource>(
    type: T['resourceType'],
    id: string,
    patch: Parameters<FhirRepository['patchResource']>[2],
    { ifMatch }: UpdateOptions = {},
  ): Promise<WithId<T>> {
    const current = await this.#store.find(type, id)
    this.#must('u', current.resource, current.owner)
    checkVersion(current, ifMatch)
    // The patch is tried on a copy first, so that its result is judged before it is stored.
    const scratch = new MemoryRepository()
    await scratch.createResource(current.resource)
    const patched = await scratch.patchResource<T>(type, id, patch)
    return this.updateResource<T>(patched)
  }

  async search<T extends Resource>(request: Search<T>): Promise<BundleOf<T>> {
    const found = await this.#matching(request)
    const from = request.offset ?? 0
    const page = request.count === undefined ? found : found.slice(from, from + request.count)
    const entries = page.map((resource): BundleEntry => ({ resource, search: { mode: 'match' } }))
    entries.push(...(await included(this, request, page)))
    return {
      resourceType: 'Bundle',
      type: 'searchset',
      total: found.length,
      entry: entries,
    } as unknown as BundleOf<T>
  }

  async searchByReference<T extends Resource>(
    request: Search<T>,
    field: string,
    references: string[],
  ): Promise<Record<string, WithId<T>[]>> {
    const results: Record<string, WithId<T>[]> = {}
    for (const reference of references) {
      const filter = { code: field, operator: 'eq', value: reference } as never
      const bundle = await this.search<T>({
        ...request,
        filters: [...(request.filters ?? []), filter],
      })
      results[reference] = (bundle.entry ?? []).flatMap(({ resource }) =>
        resource ? [resource] : [],
      )
    }
    return results
  }

  override async conditionalCreate<T extends Resource>(
    resource: T,
    request: Search<T>,
  ): Promise<{ resource: WithId<T>; outcome: OperationOutcome }> {
    const [first, second] = await this.#matching<T>(request)
    if (second) throw new OperationOutcomeError(multipleMatches)
    return first
      ? { resource: first as WithId<T>, outcome: allOk }
      : { resource: await this.createResource(resource), outcome: created }
  }

  withTransaction<R>(work: (repository: this) => Promise<R>): Promise<R> {
    return this.#store.together(() => work(this))
  }

  /** All resources of a search this token may see, sorted, without paging. */
  async #matching<T extends Resource>(request: Search<T>): Promise<Resource[]> {
    const type = request.resourceType
    if (!this.#access.covers('s', type)) throw new OperationOutcomeError(forbidden)
    const everyone = this.#access.everyPatient('s', type)
    const named = patientsNamed(request)
    const bound = this.#access.patient
    if (!everyone && named !== undefined && named.some((id) => id !== bound)) {
      throw new OperationOutcomeError(forbidden)
    }
    const charts = this.#store
      .repositories(everyone ? undefined : bound)
      .filter(([owner]) => named === undefined || (owner !== undefined && named.includes(owner)))
    const plain = withoutHandled(request)
    const found: Resource[] = []
    for (const [owner, repository] of charts) {
      const bundle = await repository.search<Resource>(plain)
      for (const { resource } of bundle.entry ?? []) {
        if (!resource || !matchNames(resource, request)) continue
        if (this.#access.may('s', resource, owner)) found.push(resource)
      }
    }
    return sorted(found, request.sortRules)
  }

  async #createNamed<T extends Resource>(resource: T, ifMatch?: string): Promise<WithId<T>> {
    if (ifMatch !== undefined) throw new OperationOutcomeError(preconditionFailed)
    this.#must('u', resource, subjectOf(resource))
    return this.#store.create<T>(resource)
  }

  async #readable(type: string, id: string): Promise<Held> {
    if (!this.#access.covers('r', type)) throw new OperationOutcomeError(forbidden)
    const held = await this.#store.find(type, id)
    // Somebody else's record looks like a missing one: its existence is not told.
    if (!this.#access.may('r', held.resource, held.owner)) {
      throw new OperationOutcomeError(notFound)
    }
    return held
  }

  #must(action: Action, resource: Resource, owner: string | undefined): void {
    if (!this.#access.may(action, resource, owner)) throw new OperationOutcomeError(forbidden)
  }
}

type BundleOf<T extends Resource> = Awaited<ReturnType<typeof FhirRepository.prototype.search<T>>>

function onlyMissing(error: unknown): undefined {
  if (error instanceof OperationOutcomeError && error.outcome.id === notFound.id) return undefined
  if (error instanceof OperationOutcomeError && error.outcome.id === gone.id) return undefined
  throw error
}

function checkVersion({ resource }: Held, ifMatch: string | undefined): void {
  if (ifMatch !== undefined && resource.meta?.versionId !== ifMatch) {
    throw new OperationOutcomeError(preconditionFailed)
  }
}
