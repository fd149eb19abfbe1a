import type { FastifyRequest } from 'fastify'
import type { Mode, Tenant } from '../config/schema/tenant.ts'
import { SmartBffError } from '../errors.ts'
import { readerOf } from '../smart/reader.ts'
import type { LaunchKey } from '../store/store.ts'
import { endCode } from '../vault/transitions.ts'
import type { OpenLaunch, Vault } from '../vault/vault.ts'
import { liveSession } from './browser-session.ts'

/** A launch that lives and belongs to the session in the cookie (DESIGN rule 2), with its place in the configuration. */
export interface OwnLaunch extends OpenLaunch {
  readonly key: LaunchKey
  readonly tenant: Tenant
  readonly mode: Mode
}

/** Undefined for a tenant or mode that has left the configuration since the launch began. */
export type FindPlace = (
  tenant: string,
  mode: string,
) => { readonly tenant: Tenant; readonly mode: Mode } | undefined

/**
 * Throws SESSION_MISSING, LAUNCH_ENDED, LAUNCH_SUPERSEDED or STORE_UNAVAILABLE. Without a session, a launch that never
 * was and somebody else's read exactly alike. From here on an error of this request carries the tenant's support text.
 */
export type OpenOwnLaunch = (request: FastifyRequest, launch: string) => Promise<OwnLaunch>

const launchPattern = /^[A-Za-z0-9_-]{16,64}$/

export function createOpenOwnLaunch(deps: {
  readonly vault: Pick<Vault, 'open'>
  readonly find: FindPlace
}): OpenOwnLaunch {
  return async (request, launch) => {
    const session = liveSession(request)
    if (session === undefined || !launchPattern.test(launch)) {
      throw new SmartBffError('SESSION_MISSING')
    }
    const key = { session, launch }
    const opening = await deps.vault.open(key)
    switch (opening.kind) {
      case 'missing':
        throw new SmartBffError('SESSION_MISSING')
      case 'ended':
        throw new SmartBffError(endCode(opening))
      case 'open': {
        const { record } = opening.launch
        const place = deps.find(record.tenant, record.mode)
        if (place === undefined) throw new SmartBffError('LAUNCH_ENDED')
        request.tenant = place.tenant
        request.reader = readerOf(place.mode, record.user.kind)
        return { ...opening.launch, ...place, key }
      }
    }
  }
}
