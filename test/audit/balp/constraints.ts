import type { Agent, Entity, FhirAuditEvent } from '../../../src/audit/balp/audit-event.ts'

/**
 * Each constraint of IHE BALP 1.1.4 on what smart-bff writes: a row of docs/balp.md, a judgement, and a change that the
 * judgement must notice. Elements that BALP forbids are judged on the JSON, for our types have no place for them.
 */
export interface Constraint {
  readonly id: string
  readonly profiles: readonly ProfileName[]
  readonly holds: (event: Json) => boolean
  readonly spoil: (event: Json) => Json
}

export type ProfileName = 'Read' | 'Query' | 'Create' | 'Update' | 'Delete' | 'OAuth' | 'Patient'

/** As it arrives at the repository. */
export interface Json extends Omit<FhirAuditEvent, 'agent' | 'entity' | 'outcome' | 'action'> {
  readonly outcome?: string
  readonly action?: string
  readonly agent: readonly (Agent & { readonly media?: unknown })[]
  readonly entity: readonly (Entity & {
    readonly lifecycle?: unknown
    readonly detail?: unknown
  })[]
}

const dicom = 'http://dicom.nema.org/resources/ontology/DCM'
const custodian = 'http://terminology.hl7.org/CodeSystem/provenance-participant-type|custodian'
const participation = 'http://terminology.hl7.org/CodeSystem/v3-ParticipationType'
const entityType = 'http://terminology.hl7.org/CodeSystem/audit-entity-type'
const role = 'http://terminology.hl7.org/CodeSystem/object-role'
const requestId = 'https://profiles.ihe.net/ITI/BALP/CodeSystem/BasicAuditEntityType|XrequestId'

const tag = ({ system, code }: { system: string; code: string }): string => `${system}|${code}`
const typeOf = (agent: Agent): string => agent.type.coding.map(tag).join()
const all: readonly ProfileName[] = ['Read', 'Query', 'Create', 'Update', 'Delete']
const writes: readonly ProfileName[] = ['Create', 'Update', 'Delete']

/** The kind that the event claims by its profile. */
export const kindOf = ({ meta }: Json): string =>
  /BasicAudit\.(?:Patient)?(\w+)$/.exec(meta?.profile[0] ?? '')?.[1] ?? ''

const agentsOf = (event: Json, type: string) => event.agent.filter((one) => typeOf(one) === type)
const clientType = (event: Json): string => {
  const codes: Record<string, string> = { Read: '110152', Delete: '110150' }
  return `${dicom}|${codes[kindOf(event)] ?? '110153'}`
}
const serverType = (event: Json): string => {
  const kind = kindOf(event)
  if (kind === 'Delete') return custodian
  return `${dicom}|${kind === 'Read' ? '110153' : '110152'}`
}
const clients = (event: Json) => agentsOf(event, clientType(event))
const servers = (event: Json) => agentsOf(event, serverType(event))
const users = (event: Json) =>
  event.agent.filter((one) => typeOf(one).startsWith(`${participation}|`))
const entitiesOf = (event: Json, type: string) =>
  event.entity.filter((one) => tag(one.type) === type)
const objects = (event: Json) => entitiesOf(event, `${entityType}|2`)
const persons = (event: Json) => entitiesOf(event, `${entityType}|1`)

const mapAgents = (
  event: Json,
  chosen: (event: Json) => readonly Agent[],
  change: (agent: Agent) => object | undefined,
): Json => {
  const list = chosen(event)
  const agent = event.agent.flatMap((one) => {
    const changed = list.includes(one) ? change(one) : one
    return changed === undefined ? [] : [changed as Agent]
  })
  return { ...event, agent }
}
const mapEntities = (
  event: Json,
  chosen: (event: Json) => readonly Entity[],
  change: (entity: Entity) => object | undefined,
): Json => {
  const list = chosen(event)
  const entity = event.entity.flatMap((one) => {
    const changed = list.includes(one) ? change(one) : one
    return changed === undefined ? [] : [changed as Entity]
  })
  return { ...event, entity }
}
const without = <T extends object>(value: T, name: keyof T): object => {
  const { [name]: _left, ...rest } = value
  return rest
}

const subtypes: Readonly<Record<string, readonly string[]>> = {
  Read: ['read', 'vread'],
  Query: ['search', 'search-type', 'search-system'],
  Create: ['create'],
  Update: ['update', 'patch'],
  Delete: ['delete'],
}
const actions: Readonly<Record<string, string>> = {
  Read: 'R',
  Query: 'E',
  Create: 'C',
  Update: 'U',
  Delete: 'D',
}

export const constraints: readonly Constraint[] = [
  {
    id: 'B1',
    profiles: all,
    holds: ({ type }) =>
      tag(type) === 'http://terminology.hl7.org/CodeSystem/audit-event-type|rest',
    spoil: (event) => ({ ...event, type: { ...event.type, code: 'search' } }),
  },
  {
    id: 'B2',
    profiles: all,
    holds: (event) =>
      event.subtype.filter(
        ({ system, code }) =>
          system === 'http://hl7.org/fhir/restful-interaction' &&
          subtypes[kindOf(event)]?.includes(code),
      ).length === 1,
    spoil: (event) => ({ ...event, subtype: [] }),
  },
  {
    id: 'B3',
    profiles: all,
    holds: (event) => event.action === actions[kindOf(event)],
    spoil: (event) => ({ ...event, action: 'X' }),
  },
  {
    id: 'B4',
    profiles: all,
    holds: ({ outcome }) => outcome === '0',
    spoil: (event) => ({ ...event, outcome: '8' }),
  },
  {
    id: 'B5',
    profiles: all,
    holds: ({ recorded }) => /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}\.\d{3}Z$/.test(recorded),
    spoil: (event) => ({ ...event, recorded: '' }),
  },
  {
    id: 'B6',
    profiles: all,
    holds: (event) => event.agent.length >= 2 && clients(event).length === 1,
    spoil: (event) => mapAgents(event, clients, () => undefined),
  },
  {
    id: 'B7',
    profiles: all,
    holds: (event) => clients(event).every(({ who }) => who.identifier?.value !== undefined),
    spoil: (event) => mapAgents(event, clients, (agent) => ({ ...agent, who: {} })),
  },
  {
    id: 'B8',
    profiles: all,
    holds: (event) => clients(event).every(({ network }) => network?.address !== undefined),
    spoil: (event) => mapAgents(event, clients, (agent) => without(agent, 'network')),
  },
  {
    id: 'B9',
    profiles: all,
    holds: (event) => servers(event).length === 1,
    spoil: (event) => mapAgents(event, servers, () => undefined),
  },
  {
    id: 'B10',
    profiles: all,
    holds: (event) =>
      servers(event).every(
        ({ who, network }) => who.identifier !== undefined && network !== undefined,
      ),
    spoil: (event) => mapAgents(event, servers, (agent) => without(agent, 'network')),
  },
  {
    id: 'B11',
    profiles: all,
    holds: (event) => event.agent.every((agent) => !Object.hasOwn(agent, 'media')),
    spoil: (event) => mapAgents(event, clients, (agent) => ({ ...agent, media: {} })),
  },
  {
    id: 'B12',
    profiles: all,
    holds: (event) => users(event).length <= 1,
    spoil: (event) => ({ ...event, agent: [...event.agent, ...users(event)] }),
  },
  {
    id: 'B13',
    profiles: ['Read', 'Query'],
    holds: (event) => users(event).every((user) => typeOf(user) === `${participation}|IRCP`),
    spoil: (event) =>
      mapAgents(event, users, (user) => ({
        ...user,
        type: { coding: [{ system: participation, code: 'AUT' }] },
      })),
  },
  {
    id: 'B14',
    profiles: writes,
    holds: (event) =>
      users(event).every((user) =>
        ['AUT', 'INF', 'CST'].some((code) => typeOf(user) === `${participation}|${code}`),
      ),
    spoil: (event) =>
      mapAgents(event, users, (user) => ({
        ...user,
        type: { coding: [{ system: participation, code: 'IRCP' }] },
      })),
  },
  {
    id: 'B15',
    profiles: all,
    holds: (event) =>
      users(event).every(({ who, requestor }) => who.identifier !== undefined && requestor),
    spoil: (event) => mapAgents(event, users, (user) => ({ ...user, requestor: false })),
  },
  {
    id: 'B16',
    profiles: all,
    holds: (event) => users(event).every((user) => !Object.hasOwn(user, 'network')),
    spoil: (event) =>
      mapAgents(event, users, (user) => ({ ...user, network: { address: 'a', type: '2' } })),
  },
  {
    id: 'B17',
    profiles: all,
    holds: (event) => users(event).every(({ name }) => name !== undefined),
    spoil: (event) => mapAgents(event, users, (user) => without(user, 'name')),
  },
  {
    id: 'B18',
    profiles: all,
    holds: ({ source }) => source.site !== '' && source.observer.identifier !== undefined,
    spoil: (event) => ({ ...event, source: { ...event.source, observer: {} } }),
  },
  {
    id: 'B19',
    profiles: all,
    holds: (event) => {
      const found = entitiesOf(event, requestId)
      return found.length <= 1 && found.every(({ what }) => what?.identifier?.value !== undefined)
    },
    spoil: (event) =>
      mapEntities(
        event,
        (one) => entitiesOf(one, requestId),
        (entity) => without(entity, 'what'),
      ),
  },
  {
    id: 'B20',
    profiles: ['Read', 'Create', 'Update', 'Delete'],
    holds: (event) => objects(event).length === 1 && objects(event)[0]?.what !== undefined,
    spoil: (event) => mapEntities(event, objects, (entity) => without(entity, 'what')),
  },
  {
    id: 'B21',
    profiles: ['Read', 'Create', 'Update', 'Delete'],
    holds: (event) =>
      objects(event).every((entity) =>
        ['4', '3', '20'].some((code) => entity.role && tag(entity.role) === `${role}|${code}`),
      ),
    spoil: (event) =>
      mapEntities(event, objects, (entity) => ({ ...entity, role: { system: role, code: '1' } })),
  },
  {
    id: 'B22',
    profiles: ['Update'],
    holds: (event) => /\/_history\/[A-Za-z0-9.-]+$/.test(objects(event)[0]?.what?.reference ?? ''),
    spoil: (event) =>
      mapEntities(event, objects, (entity) => ({
        ...entity,
        what: { reference: 'Observation/1' },
      })),
  },
  {
    id: 'B23',
    profiles: ['Query'],
    holds: (event) =>
      objects(event).length === 1 &&
      objects(event).every((entity) => entity.role && tag(entity.role) === `${role}|24`),
    spoil: (event) => mapEntities(event, objects, (entity) => without(entity, 'role')),
  },
  {
    id: 'B24',
    profiles: ['Query'],
    holds: (event) =>
      objects(event).every(({ query = '' }) =>
        Buffer.from(query, 'base64').toString().startsWith('GET https://'),
      ),
    spoil: (event) => mapEntities(event, objects, (entity) => without(entity, 'query')),
  },
  {
    id: 'B25',
    profiles: ['Query'],
    holds: (event) =>
      objects(event).every((entity) =>
        ['what', 'lifecycle', 'detail'].every((name) => !Object.hasOwn(entity, name)),
      ),
    spoil: (event) =>
      mapEntities(event, objects, (entity) => ({ ...entity, what: { reference: 'Patient/1' } })),
  },
  {
    id: 'B26',
    profiles: ['Patient'],
    holds: (event) => event.entity.length >= 2 && persons(event).length === 1,
    spoil: (event) => mapEntities(event, persons, () => undefined),
  },
  {
    id: 'B27',
    profiles: ['Patient'],
    holds: (event) =>
      persons(event).every((entity) => entity.role && tag(entity.role) === `${role}|1`),
    spoil: (event) => mapEntities(event, persons, (entity) => without(entity, 'role')),
  },
  {
    id: 'B28',
    profiles: ['Patient'],
    holds: (event) =>
      persons(event).every(
        ({ what }) => what?.type === 'Patient' && /\/Patient\/[^/]+$/.test(what.reference ?? ''),
      ),
    spoil: (event) =>
      mapEntities(event, persons, (entity) => ({ ...entity, what: { reference: 'Group/1' } })),
  },
  {
    id: 'B29',
    profiles: ['OAuth'],
    holds: (event) => {
      const found = agentsOf(event, `${dicom}|110150`)
      return found.length === 1 && found.every(({ who }) => who.identifier?.value === 'abc')
    },
    spoil: (event) =>
      mapAgents(
        event,
        (one) => agentsOf(one, `${dicom}|110150`),
        (agent) => ({ ...agent, who: { display: 'abc' } }),
      ),
  },
  {
    id: 'B30',
    profiles: ['OAuth'],
    holds: (event) =>
      users(event).every(
        ({ who }) => who.identifier?.system !== undefined && who.display !== undefined,
      ),
    spoil: (event) => mapAgents(event, users, (user) => ({ ...user, who: { display: 'x' } })),
  },
  {
    id: 'B31',
    profiles: ['OAuth'],
    holds: (event) => users(event).every(({ policy }) => policy?.length === 1),
    spoil: (event) => mapAgents(event, users, (user) => without(user, 'policy')),
  },
]
