import fastify from 'fastify'
import type { FastifyInstance } from 'fastify'
import { createPublicKey } from 'node:crypto'
import { stat } from 'node:fs/promises'
import { join } from 'node:path'
import { checkpointsName, readFileName } from '../audit/file-names.ts'
import { createPseudonyms } from '../audit/pseudonyms.ts'
import { collectKeptNotes } from '../audit/copies/kept-notes.ts'
import { startSearchIndex } from '../audit/search-index/start-index.ts'
import type { StartedAudit } from '../audit/start-audit.ts'
import { verifyAudit } from '../audit/verify.ts'
import { renewable, type Renewal, together } from '../config/renewable.ts'
import type { Config } from '../config/schema/config.ts'
import type { Ehrs } from '../ehr/connection.ts'
import { createCertificates } from '../operations/certificates.ts'
import type { Health } from '../operations/health.ts'
import type { Metrics } from '../operations/metrics.ts'
import { answerPlainly } from '../operations/operations-server.ts'
import type { Store } from '../store/store.ts'
import type { KeyRing } from '../vault/key-ring.ts'
import type { LaunchIndex } from '../vault/launch-index.ts'
import type { LaunchRecord } from '../vault/record.ts'
import { createRevocation } from '../vault/revocation.ts'
import type { Vault } from '../vault/vault.ts'
import { noSchemas } from '../web/no-schemas.ts'
import { createTlsServer } from '../web/tls.ts'
import { createIdentityProvider } from './identity-provider.ts'
import { createSavedSearches } from './saved.ts'
import { staffSite } from './staff-site.ts'
import { createStaffSessions } from './staff-session.ts'

/** The staff site as the configuration describes it, with the search index that it reads. */
export interface StaffSite {
  /** Opens the listener of its own, where one is configured; otherwise the operations listener carries the site. */
  start(): Promise<void>
  /** The server of that listener. */
  readonly ownServer: unknown
  readonly renew: Renewal<Config>
  close(): Promise<void>
}

export interface StaffDeps {
  readonly audit: StartedAudit
  readonly keyRing: KeyRing
  readonly health: Pick<Health, 'status'>
  readonly store: Store
  readonly vault: Vault
  readonly launchIndex: LaunchIndex
  /** Takes the tokens of a launch back at the EHR. */
  readonly revoke: (record: LaunchRecord) => Promise<void>
  readonly operations: FastifyInstance
  readonly metrics: Pick<Metrics, 'circuitOpenSince'>
  readonly ehrs: Ehrs
  readonly now: () => number
  readonly onFault: (error: unknown, incident: string | undefined) => void
}

/** Undefined when the configuration has no staff site. */
export function createStaffSite(config: Config, deps: StaffDeps): StaffSite | undefined {
  const { staff, publicUrl } = config.operations
  if (staff === undefined || publicUrl === undefined) return undefined
  const { audit, keyRing, health, now, onFault, store, vault, launchIndex, revoke } = deps
  const { metrics, ehrs } = deps
  const { directory } = config.audit
  const index = startSearchIndex({
    config,
    store,
    now,
    onFault: (error) => {
      onFault(error, undefined)
    },
  })
  const present = renewable(config, (own) => ({ config: () => own }))
  const certificates = renewable(config, (own) => createCertificates(own, { now }))
  const pseudonyms = createPseudonyms(config.keys.pseudonym)
  const publicKey = createPublicKey(config.keys.signing.reveal())
  const plugin = staffSite({
    publicOrigin: publicUrl,
    config: present.part.config,
    store,
    metrics,
    certificates: certificates.part,
    discovery: (tenant) => ehrs.get(tenant)?.discovery.state(),
    tenants: config.tenants,
    provider:
      staff.oidc === undefined
        ? undefined
        : createIdentityProvider({
            ...staff.oidc,
            redirectUri: `${publicUrl}/sign-in/callback`,
            insecure: config.development,
          }),
    roles: staff.roles,
    local: config.development ? (staff.local ?? []) : [],
    sessions: createStaffSessions({ keyRing, store, now }),
    saved: createSavedSearches({ store, keyRing, pseudonyms }),
    pseudonyms,
    vault,
    launchIndex,
    endLaunches: createRevocation({ store, vault, index: launchIndex, pseudonyms, audit, revoke }),
    verify: async () => {
      const { notes } = await collectKeptNotes(config.audit.checkpoints, store)
      return verifyAudit({ directory, publicKey, keptNotes: notes })
    },
    audit,
    checkpointAt: () => writtenAt(directory, audit.status().file),
    index,
    health,
    now,
    onFault,
  })
  const own = staff.listen === undefined ? undefined : createOwnServer(staff.listen)
  void (own ?? deps.operations).register(plugin)
  return {
    ownServer: own?.server,
    renew: together([present.renew, certificates.renew]),
    async start() {
      if (staff.listen === undefined) return
      await own?.listen({ host: staff.listen.host, port: staff.listen.port })
    },
    async close() {
      await own?.close()
      await index.close()
    },
  }
}

/** The checkpoints stand beside the file; the last one was written when that file was. */
async function writtenAt(directory: string, file: string): Promise<number | undefined> {
  const named = readFileName(file)
  if (named === undefined) return undefined
  try {
    return (await stat(join(directory, checkpointsName(named)))).mtimeMs
  } catch {
    return undefined
  }
}

function createOwnServer({ tls }: NonNullable<Config['listen']>): FastifyInstance {
  const limits = {
    logger: false,
    schemaController: noSchemas,
    bodyLimit: 16_384,
    requestTimeout: 30_000,
  } as const
  const server =
    tls === undefined
      ? fastify(limits)
      : fastify({ ...limits, serverFactory: (handler) => createTlsServer({}, tls, handler) })
  answerPlainly(server)
  return server
}
