import { isWrite } from '../../smart/interactions.ts'
import type { BatchEntry } from '../batch-entries.ts'
import { isRefusal } from '../decision.ts'
import type { Refusal } from '../decision.ts'
import { printPath, printQuery } from '../request.ts'
import { wrapPatch } from '../split-bundle.ts'
import type { SplitBundle } from '../split-bundle.ts'
import type { Bound } from '../steps/bind.ts'
import { judgeCurrent } from '../judge-current.ts'
import type { Trip } from '../trip.ts'
import { ruleOf } from './answer-write.ts'
import { takeConfirmation } from './confirm.ts'
import type { Siblings } from './make.ts'
import { prepareWrite } from './prepare.ts'
import type { PreparedWrite } from './prepare.ts'
import { validate } from './validate.ts'

/** The entries of a bundle, as they go to the EHR: everything that a write of its own has to pass, these have passed. */
export interface PreparedEntry {
  readonly asked: BatchEntry['asked']
  readonly bound: Bound
  /** Undefined for what only reads. */
  readonly write: PreparedWrite | undefined
  readonly ifMatch: string | undefined
  readonly urn: string | undefined
}

/** One after the other, so that a bundle has no more of the EHR at a time than any other request of this launch. */
export async function prepareEntries(
  type: SplitBundle['type'],
  entries: readonly BatchEntry[],
  large: boolean,
  trip: Trip,
): Promise<readonly PreparedEntry[] | Refusal> {
  // The entries of a batch must not refer to each other (FHIR R4 http.html, batch).
  const siblings = type === 'transaction' ? siblingsOf(entries) : {}
  const prepared: PreparedEntry[] = []
  for (const { asked, bound, entry } of entries) {
    const { ifMatch, ifNoneExist, urn, body = new Uint8Array(0) } = entry
    if (isWrite(bound.request.interaction)) {
      // No server looks for references in a patch, which comes as a Binary: they would stay as they are.
      const known = bound.request.interaction === 'patch' ? {} : siblings
      const ask = { body, ifMatch, ifNoneExist, siblings: known, large }
      const write = await prepareWrite(ask, bound, ruleOf(bound, trip), trip)
      if (isRefusal(write)) return write
      prepared.push({ asked, bound, write, ifMatch, urn })
    } else {
      const refused = await judgeCurrent(bound, trip)
      if (refused !== undefined) return refused
      prepared.push({ asked, bound, write: undefined, ifMatch, urn: undefined })
    }
  }
  return (await checkEntries(prepared, trip)) ?? prepared
}

/** What the rules of the writes ask beyond that. A bundle is one act of the user: one confirmation is enough for it. */
async function checkEntries(
  prepared: readonly PreparedEntry[],
  trip: Trip,
): Promise<Refusal | undefined> {
  const writes = prepared.flatMap(({ bound, write }) =>
    write === undefined ? [] : [{ bound, write, rule: ruleOf(bound, trip) }],
  )
  if (writes.some(({ rule }) => rule.confirm === true)) {
    const missing = await takeConfirmation(trip.launch, trip.deps)
    if (missing !== undefined) return missing
  }
  for (const { bound, write, rule } of writes) {
    if (rule.validate !== true) continue
    const invalid = await validate(write, bound.request, trip)
    if (invalid !== undefined) return invalid
  }
  return undefined
}

function siblingsOf(entries: readonly BatchEntry[]): Siblings {
  return Object.fromEntries(
    entries.flatMap(({ bound: { request }, entry: { urn } }) =>
      urn === undefined || !isWrite(request.interaction) ? [] : [[urn, request.resource ?? '']],
    ),
  )
}

/** Built from what was judged. The records are not read again: they are bytes, and stay so. */
export function printBundle(type: SplitBundle['type'], entries: readonly PreparedEntry[]): Buffer {
  const list = entries.flatMap((entry, index) => [
    Buffer.from(index === 0 ? '' : ','),
    printEntry(entry),
  ])
  const start = Buffer.from(`{"resourceType":"Bundle","type":"${type}","entry":[`)
  return Buffer.concat([start, ...list, Buffer.from(']}')])
}

function printEntry({ bound, write, urn }: PreparedEntry): Buffer {
  const { sent, request } = bound
  const query = sent.parameters.length === 0 ? '' : `?${printQuery(sent.parameters)}`
  const method = methods[request.interaction] ?? 'GET'
  const head = JSON.stringify({
    ...(urn === undefined ? {} : { fullUrl: urn }),
    request: {
      method,
      url: printPath(sent) + query,
      ...(write?.etag === undefined ? {} : { ifMatch: write.etag }),
      ...(write?.absent === true ? { ifNoneMatch: '*' } : {}),
      ...(write?.condition === undefined ? {} : { ifNoneExist: write.condition }),
    },
  })
  if (write?.body === undefined) return Buffer.from(head)
  const body = method === 'PATCH' ? wrapPatch(write.body) : write.body
  return Buffer.concat([Buffer.from(`${head.slice(0, -1)},"resource":`), body, Buffer.from('}')])
}

const methods: Readonly<Record<string, string>> = {
  create: 'POST',
  update: 'PUT',
  patch: 'PATCH',
  delete: 'DELETE',
}
