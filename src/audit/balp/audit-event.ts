import { isIP } from 'node:net'
import type { AuditEvent } from '../event.ts'
import { agents, applicationServer, entities, interactionCoding, network } from './codes.ts'
import { profile, rest, roles } from './codes.ts'
import type { Coding } from './codes.ts'

/**
 * What happened as AuditEvents of IHE BALP 1.1.4, for an Audit Record Repository. docs/balp.md has each constraint with
 * where it is met. Here alone the patient stands as what he is, a reference to the EHR's record: that is the standard's
 * purpose, so the repository must be as well guarded as the EHR. Pure.
 */
export interface FhirAuditEvent {
  readonly resourceType: 'AuditEvent'
  readonly meta?: { readonly profile: readonly string[] }
  readonly type: Coding
  readonly subtype: readonly Coding[]
  readonly action: 'C' | 'R' | 'U' | 'D' | 'E'
  readonly recorded: string
  readonly outcome: '0'
  readonly outcomeDesc?: string
  readonly agent: readonly Agent[]
  readonly source: {
    readonly site: string
    readonly observer: Reference
    readonly type: readonly Coding[]
  }
  readonly entity: readonly Entity[]
}

export interface Agent {
  readonly type: { readonly coding: readonly Coding[] }
  readonly who: Reference
  readonly name?: string
  readonly requestor: boolean
  readonly policy?: readonly string[]
  readonly network?: { readonly address: string; readonly type: string }
}

export interface Reference {
  readonly reference?: string
  readonly type?: string
  readonly identifier?: { readonly system?: string; readonly value: string }
  readonly display?: string
}

export interface Entity {
  readonly what?: Reference
  readonly type: Coding
  readonly role?: Coding
  readonly query?: string
}

export interface BalpContext {
  readonly publicUrl: string
  readonly instance: string
  readonly tenants: ReadonlyMap<string, BalpTenant>
  /** First 16 hex digits of the hash of a launch id, as the audit files have it. */
  readonly launchHash: (id: string) => string
}

export interface BalpTenant {
  readonly name: string
  readonly iss: string
  readonly clientId: string
}

type Kind = 'Read' | 'Query' | 'Create' | 'Update' | 'Delete' | undefined

const kinds: Readonly<Record<string, readonly [kind: Kind, action: FhirAuditEvent['action']]>> = {
  read: ['Read', 'R'],
  vread: ['Read', 'R'],
  'search-type': ['Query', 'E'],
  create: ['Create', 'C'],
  update: ['Update', 'U'],
  patch: ['Update', 'U'],
  delete: ['Delete', 'D'],
  // BALP has no pattern for these; they have the same agents and patient, and claim no profile.
  'history-instance': [undefined, 'R'],
  'history-type': [undefined, 'R'],
  operation: [undefined, 'E'],
  batch: [undefined, 'E'],
  transaction: [undefined, 'E'],
}

/** Patient data that went out or was changed. A broken stream may have shown all: it counts as shown. */
const told: Readonly<Record<string, true>> = {
  'fhir.access': true,
  'fhir.aborted': true,
  'fhir.written': true,
}

/** One for each patient concerned (BALP, PatientQuery: "one AuditEvent is created for every Patient"). */
export function auditEventsOf(
  event: AuditEvent,
  at: number,
  context: BalpContext,
): readonly FhirAuditEvent[] {
  const tenant = context.tenants.get(event.tenant ?? '')
  const known = Object.hasOwn(kinds, event.interaction ?? '')
    ? kinds[event.interaction ?? '']
    : undefined
  if (tenant === undefined || known === undefined || told[event.event] !== true) return []
  const [kind, action] = known
  const patients = [...new Set([event.patient ?? []].flat())]
  const one = (patient: string | undefined): FhirAuditEvent => {
    const object = objectEntity(event, kind, tenant)
    const fits = kind !== undefined && object !== undefined
    const name = `${patient === undefined ? '' : 'Patient'}${kind ?? ''}`
    return {
      resourceType: 'AuditEvent',
      ...(fits ? { meta: { profile: [profile(name)] } } : {}),
      type: rest,
      subtype: [interactionCoding(event.interaction ?? '')],
      action,
      recorded: new Date(at).toISOString(),
      outcome: '0',
      ...(event.event === 'fhir.aborted'
        ? { outcomeDesc: 'The answer broke off before its end.' }
        : {}),
      agent: agentsOf(event, kind, tenant, context),
      source: {
        site: new URL(context.publicUrl).host,
        observer: { identifier: { value: context.instance }, display: 'smart-bff' },
        type: [applicationServer],
      },
      entity: [
        ...(event.request === undefined ? [] : [requestEntity(event.request)]),
        ...(object === undefined ? [] : [object]),
        ...(patient === undefined ? [] : [patientEntity(patient, tenant)]),
      ],
    }
  }
  return patients.length === 0 ? [one(undefined)] : patients.map(one)
}

/** In a query the client is the source, of the parameters; in a read it is the destination, of the data. */
function agentsOf(
  event: AuditEvent,
  kind: Kind,
  tenant: BalpTenant,
  context: BalpContext,
): readonly Agent[] {
  const reads = kind === 'Read'
  const deletes = kind === 'Delete'
  const app = { identifier: { value: tenant.clientId }, display: 'smart-bff' }
  const user = userAgent(event, context)
  const client = { who: app, requestor: user === undefined, network: clientNetwork(event, context) }
  const server = {
    who: { identifier: { value: tenant.iss }, display: tenant.name },
    requestor: false,
    network: { address: tenant.iss, type: network.uri },
  }
  const oauthClient: Agent = {
    type: typed(agents.application),
    ...client,
    requestor: deletes && client.requestor,
  }
  const roleOfClient = reads ? agents.destination : agents.source
  const roleOfServer = reads ? agents.source : agents.destination
  return [
    ...(deletes ? [] : [{ type: typed(roleOfClient), ...client }]),
    { type: typed(deletes ? agents.custodian : roleOfServer), ...server },
    oauthClient,
    ...(user === undefined ? [] : [user]),
  ]
}

/**
 * The OAuth pattern, Comprehensive: issuer and subject of the id token. Its `policy` is to identify the token: a client
 * must not read a token (SMART App Launch 2.2), and no part of one may leave (DESIGN rule 1), so the launch stands there,
 * under which the audit files tell of the token's whole life.
 */
function userAgent({ user, launch, interaction = '' }: AuditEvent, { launchHash }: BalpContext) {
  const value = user?.subject ?? user?.fhirUser
  if (user === undefined || value === undefined) return undefined
  const writes = ['Create', 'Update', 'Delete'].includes(kinds[interaction]?.[0] ?? '')
  const name = user.fhirUser ?? value
  return {
    type: typed(writes ? agents.author : agents.recipient),
    who: {
      identifier: { ...(user.issuer === undefined ? {} : { system: user.issuer }), value },
      display: name,
    },
    name,
    requestor: true,
    ...(launch === undefined ? {} : { policy: [`urn:smart-bff:launch:${launchHash(launch)}`] }),
  }
}

const typed = (coding: Coding): Agent['type'] => ({ coding: [coding] })

/** The browser as our connection knows it; where that is not known, we ourselves. */
function clientNetwork({ client = '' }: AuditEvent, { publicUrl }: BalpContext) {
  return isIP(client) === 0
    ? { address: new URL(publicUrl).hostname, type: network.machine }
    : { address: client, type: network.address }
}

const requestEntity = (incident: string): Entity => ({
  what: { identifier: { value: incident } },
  type: entities.requestId,
})

function objectEntity(event: AuditEvent, kind: Kind, tenant: BalpTenant): Entity | undefined {
  const { resource, resourceId, version } = event
  if (kind === 'Query') {
    const query = Buffer.from(requestLine(event, tenant)).toString('base64')
    return { type: entities.object, role: roles.query, query }
  }
  if (resource === undefined || resourceId === undefined) return undefined
  const versioned = kind === 'Update' && version !== undefined ? `/_history/${version}` : ''
  return {
    what: { reference: `${base(tenant)}/${resource}/${resourceId}${versioned}`, type: resource },
    type: entities.object,
    role: roles.domainResource,
  }
}

/** What was asked, with its values: preserved exactly, in base64 (BALP, Query). */
function requestLine({ resource = '', parameters = [] }: AuditEvent, tenant: BalpTenant): string {
  const query = parameters
    .filter(({ name }) => !name.startsWith('+'))
    .map(({ name, value }) => `${encodeURIComponent(name)}=${encodeURIComponent(value)}`)
    .join('&')
  return `GET ${base(tenant)}/${resource}${query === '' ? '' : `?${query}`}`
}

const patientEntity = (id: string, tenant: BalpTenant): Entity => ({
  what: { reference: `${base(tenant)}/Patient/${id}`, type: 'Patient' },
  type: entities.person,
  role: roles.patient,
})

const base = ({ iss }: BalpTenant): string => iss.replace(/\/+$/, '')
