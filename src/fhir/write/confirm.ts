import type { Audit } from '../../audit/event.ts'
import { SmartBffError } from '../../errors.ts'
import type { LaunchKey, Store } from '../../store/store.ts'
import type { OpenLaunch, Tokens } from '../../vault/vault.ts'
import type { AwayJudge } from '../away/away-judge.ts'
import { awayBytes, lookAt, partOf } from '../away/away.ts'
import { decide } from '../decide.ts'
import { isRefusal, refuse } from '../decision.ts'
import type { Refusal } from '../decision.ts'
import type { OpenedLaunch } from '../exchange.ts'
import { expectationOf } from '../expectation.ts'
import type { Links } from '../links.ts'
import { emptyRequest } from '../request.ts'
import { forward, outboundOf } from '../steps/forward.ts'
import { isFhirJson, refuseFault, refuseStatus } from '../steps/guard.ts'
import type { Upstreams } from '../upstreams.ts'
import type { Views } from '../view.ts'
import type { Shown } from './same-person.ts'

/**
 * For rules with `confirm`: the app says which name and birth date it displays, the Patient is read now, and only when
 * both agree may one write follow within two minutes. It catches a screen that shows somebody else, or an older record.
 */
export interface ConfirmDeps {
  readonly views: Views
  readonly upstreams: Upstreams
  readonly tokens: Tokens
  readonly links: Links
  readonly away: Pick<AwayJudge, 'look'>
  readonly store: Pick<Store, 'putConfirmation' | 'takeConfirmation'>
  readonly audit: Pick<Audit, 'record'>
}

/** A launch that was found to be this browser's. */
export interface OwnOpenLaunch extends OpenLaunch {
  readonly key: LaunchKey
}

/** Resolves when confirmed; throws SmartBffError otherwise. */
export type Confirm = (
  own: OwnOpenLaunch,
  shown: Shown,
  request: { readonly incident: string; readonly ip: string },
) => Promise<void>

const confirmedForMs = 120_000

export function createConfirm(deps: ConfirmDeps): Confirm {
  return async (own, shown, { incident, ip }) => {
    const { key, record } = own
    const view = deps.views.of(record)
    if (view === undefined) throw new SmartBffError('LAUNCH_ENDED')
    if (record.state !== 'active') throw new SmartBffError('TOKEN_EXPIRED')
    // Whatever was confirmed before is over.
    await deps.store.takeConfirmation(key)
    const { patient } = view
    const refusal = await judge(shown, { key, opened: own, view }, deps)
    await deps.audit.record({
      event: 'fhir.confirmed',
      outcome: refusal === undefined ? 'success' : 'refused',
      tenant: record.tenant,
      mode: record.mode,
      launch: key.launch,
      request: incident,
      client: ip,
      user: record.user,
      patient,
      interaction: 'read',
      resource: 'Patient',
      ...(refusal === undefined ? {} : { reason: refusal.reason ?? refusal.code }),
    })
    if (refusal !== undefined) throw new SmartBffError(refusal.code)
    const sealed = deps.links.seal('confirm', key.launch, patient ?? '')
    await deps.store.putConfirmation(key, sealed, confirmedForMs)
  }
}

/** Spends the confirmation that the user gave last, if it is of the patient in context. */
export async function takeConfirmation(
  { key, view }: OpenedLaunch,
  deps: Pick<ConfirmDeps, 'store' | 'links'>,
): Promise<Refusal | undefined> {
  const sealed = await deps.store.takeConfirmation(key)
  const patient = sealed === undefined ? '' : deps.links.open('confirm', key.launch, sealed)
  const confirmed = view.patient !== undefined && patient === view.patient
  return confirmed ? undefined : refuse('FHIR_CONFIRMATION_MISSING')
}

/** The same decisions, and the same guard, as if the app had read the Patient. */
async function judge(
  shown: Shown,
  launch: OpenedLaunch,
  deps: ConfirmDeps,
): Promise<Refusal | undefined> {
  const { view } = launch
  if (view.patient === undefined) return refuse('FHIR_PATIENT_MISSING')
  const request = { ...emptyRequest, interaction: 'read', resource: 'Patient' } as const
  const bound = decide({ ...request, id: view.patient }, view)
  if (isRefusal(bound)) return bound
  const { upstream, urls } = deps.upstreams.of(view.tenant)
  const listener = { gone: false, whenGone: undefined, held: 0 }
  try {
    const asking = { launch, listener, told: {} }
    const parts = { tokens: deps.tokens, upstream }
    const received = await forward(outboundOf(bound.sent, urls), asking, parts)
    if (received.kind === 'fault') return refuseFault(received)
    if (received.status !== 200) return refuseStatus(received)
    const { headers, body: bytes } = received
    if (!isFhirJson(headers.contentType)) return refuse('FHIR_ANSWER_UNREADABLE', 'content_type')
    const person = { part: partOf(expectationOf(bound, view), bound.request), shown }
    const looked =
      bytes.length > awayBytes
        ? await deps.away.look({ bytes, merge: undefined, person })
        : lookAt(bytes, undefined, person)
    if (isRefusal(looked)) return looked
    return looked.samePerson ? undefined : refuse('FHIR_CONFIRMATION_STALE')
  } finally {
    deps.upstreams.release(view.tenant, listener)
  }
}
