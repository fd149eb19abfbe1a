import type { Audit } from '../audit/event.ts'
import type { Mode } from '../config/schema/tenant.ts'
import type { Ehr } from '../ehr/connection.ts'
import { judgeIntrospection } from '../ehr/introspection.ts'
import type { Issued } from '../ehr/issued.ts'
import { giveBack } from '../ehr/revoke.ts'
import { readFhirUser } from '../smart/fhir-user.ts'
import { readLaunchContext, type ReceivedContext } from '../smart/launch-context.ts'
import type { PendingAuthorization } from '../vault/pending.ts'
import type { LaunchRecord, LaunchUser } from '../vault/record.ts'
import { judgeLaunch } from './rules.ts'

/**
 * The EHR has sent the browser back with a code: exchange, identity, context, rules, and the record that comes of it.
 * Nothing of the session is touched here.
 */
export interface CompleteAsk {
  readonly pending: PendingAuthorization
  readonly mode: Mode
  readonly ehr: Ehr
  readonly state: string
  readonly query: URLSearchParams
  readonly incident: string
  /** Told as soon as the EHR has proved who is signed in: a refusal after that has somebody who met it. */
  readonly onUser: (user: LaunchUser) => void
}

export interface CompleteDeps {
  readonly audit: Audit
  readonly now: () => number
  readonly absoluteMs: number
}

/** Throws SmartBffError; tokens of a launch that is refused after the exchange are revoked at the EHR. */
export async function complete(deps: CompleteDeps, ask: CompleteAsk): Promise<LaunchRecord> {
  const { pending, mode, ehr } = ask
  // A token's lifetime counts from before it was asked for.
  const askedAt = deps.now()
  const issued = await exchange(ask)
  const received = readLaunchContext(issued.members, ehr.tenant.iss)
  try {
    await deps.audit.record({
      event: 'token.exchanged',
      outcome: 'success',
      tenant: pending.tenant,
      mode: pending.mode,
      launch: pending.launch,
      request: ask.incident,
      requested: pending.requested,
      granted: issued.scope ?? '',
      context: received.received,
    })
    const user = await identify(ask, issued)
    ask.onUser(user)
    const record = recordOf(deps, ask, { issued, received, user, askedAt })
    judgeLaunch(mode, record, received.severalPatients)
    if (ehr.quirks.introspection) await introspect(ehr, record)
    return record
  } catch (refusal) {
    await giveBack(ehr, issued)
    throw refusal
  }
}

async function introspect(ehr: Ehr, { tokens, context }: LaunchRecord): Promise<void> {
  const answer = await ehr.oauth.introspect(tokens.access)
  judgeIntrospection(answer, { clientId: ehr.tenant.client.id, patient: context.patient })
}

/** The redirect URI comes from the configuration, never from the proxied host; its query is the callback's own. */
async function exchange(ask: CompleteAsk): Promise<Issued> {
  const callbackUrl = new URL(ask.pending.redirectUri)
  callbackUrl.search = ask.query.toString()
  return ask.ehr.oauth.exchange({ callbackUrl, state: ask.state, verifier: ask.pending.verifier })
}

/** DESIGN rule 14: (tenant, id_token iss and sub), else unknown, who equals nobody. */
async function identify({ ehr, pending }: CompleteAsk, issued: Issued): Promise<LaunchUser> {
  if (issued.idToken === undefined) {
    return { issuer: undefined, subject: undefined, fhirUser: undefined, kind: undefined }
  }
  const claims = await ehr.identity.verify(issued.idToken, pending.nonce)
  const fhirUser =
    claims.fhirUser === undefined ? undefined : readFhirUser(claims.fhirUser, ehr.tenant.iss)
  return {
    issuer: claims.issuer,
    subject: claims.subject,
    fhirUser: fhirUser?.reference,
    kind: fhirUser?.kind,
  }
}

function recordOf(
  deps: CompleteDeps,
  { pending, ehr }: CompleteAsk,
  got: {
    readonly issued: Issued
    readonly received: ReceivedContext
    readonly user: LaunchUser
    readonly askedAt: number
  },
): LaunchRecord {
  const now = deps.now()
  const { issued, received, user, askedAt } = got
  return {
    schema: 1,
    launch: pending.launch,
    tenant: pending.tenant,
    mode: pending.mode,
    state: 'active',
    user,
    context: { ...received.context, patient: patientOf(ehr, received, user) },
    // DESIGN rule 5: a code exchange without `scope` grants nothing.
    scopes: { requested: pending.requested, granted: issued.scope ?? '' },
    tokens: {
      access: issued.accessToken,
      receivedAt: askedAt,
      accessExpiresAt:
        issued.expiresInSeconds === undefined
          ? undefined
          : askedAt + issued.expiresInSeconds * 1000,
      refresh: issued.refreshToken,
    },
    startedAt: now,
    absoluteAt: now + deps.absoluteMs,
  }
}

/** MEDENT names the patient only as the fhirUser; a quirk, off by default. */
function patientOf(ehr: Ehr, received: ReceivedContext, user: LaunchUser): string | undefined {
  if (received.context.patient !== undefined) return received.context.patient
  if (ehr.quirks.patientFallback !== 'fhirUser' || user.kind !== 'patient') return undefined
  return /^Patient\/([A-Za-z0-9\-.]{1,64})$/.exec(user.fhirUser ?? '')?.[1]
}
