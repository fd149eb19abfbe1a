import type { Change, Deadline, LaunchKey, MatrixKey } from '../store.ts'

/**
 * The key names of DESIGN.md, "Stored records". The braces are Cluster hash tags: what one script changes together
 * stands in one slot.
 */

export const dueName = 'due'

export const pendingName = (stateHash: string): string => `tx:${stateHash}`

export const bindingName = (pendingHash: string): string => `bind:{b}:${pendingHash}`

export const sessionName = (session: string): string => `sess:{${session}}`

/** Of a session that ended: what is to be told of it. */
export const sessionEndName = (session: string): string => `sess:{${session}}:ended`

export const launchesName = (session: string): string => `launches:{${session}}`

export const launchPrefix = (session: string): string => `launch:{${session}}:`

export const launchName = (key: LaunchKey): string => launchPrefix(key.session) + key.launch

export const matrixName = ({ tenant, mode }: MatrixKey): string => `matrix:{${tenant}}:${mode}`

export const leaseName = (name: string): string => `lock:${name}`

export const idempotentName = (session: string, name: string): string =>
  `idempotent:{${session}}:${name}`

export const confirmationName = ({ session, launch }: LaunchKey): string =>
  `confirmed:{${session}}:${launch}`

export const draftName = (name: string): string => `draft:${name}`

export const countName = (name: string): string => `count:${name}`

export const indexName = (name: string): string => `index:${name}`

export const auditName = 'audit:batches'

/** As earlier versions write them, one by one. */
export const auditLinesName = 'audit'

export const checkpointsName = 'checkpoints'

/** A member of `due` or of an index: hashes and launch ids are base64url, so the bar separates them. */
export const memberOf = ({ session, launch = '' }: Deadline): string => `${session}|${launch}`

export function readMember(member: string): Deadline | undefined {
  const [, session, launch] = /^([A-Za-z0-9_-]+)\|([A-Za-z0-9_-]*)$/.exec(member) ?? []
  if (session === undefined) return undefined
  return { session, launch: launch === '' ? undefined : launch }
}

/** Channels. A Redis user needs access to `&smart-bff:*`. */
export const changesChannel = 'smart-bff:changes'

export const beatChannel = (replica: string): string => `smart-bff:beat:${replica}`

/** What only a master takes, before a beat; in a Cluster with the hash tag of a slot of its own. */
export const beatName = (channel: string, tag?: string): string =>
  tag === undefined ? `beat:${channel}` : `beat:{${tag}}:${channel}`

/** What the scripts publish: `changed|<session>|<launch>` or `ended|<session>|<launch or nothing>|<how>`. */
export function readChange(message: string): Change | undefined {
  const [kind, session, launch = '', ended = ''] = message.split('|')
  if (session === undefined) return undefined
  if (kind === 'changed') return { kind, session, launch }
  if (kind !== 'ended') return undefined
  return { kind, session, launch: launch === '' ? undefined : launch, ended }
}
