import { fileURLToPath } from 'node:url'
import type { FastifyInstance } from 'fastify'
import { recordConfiguration } from './audit/configuration.ts'
import { renewable, type Renewal, together } from './config/renewable.ts'
import type { Config } from './config/schema/config.ts'
import { isOurFault } from './errors.ts'
import { publicKeySet } from './ehr/client-keys.ts'
import { createEhrs, renewEhrs } from './ehr/connection.ts'
import { redirectPathOf } from './ehr/quirks.ts'
import { createRefresh } from './ehr/refresh.ts'
import { createRevoke } from './ehr/revoke.ts'
import { createFhir, type Fhir } from './fhir/create-fhir.ts'
import { createDirectory } from './launch/directory.ts'
import { jwksRoute } from './launch/jwks-route.ts'
import { renewRoute } from './launch/renew.ts'
import { entryRoutes } from './launch/routes.ts'
import { createLaunchCount } from './operations/launch-count.ts'
import { closeGround, type Ground, layGround } from './operations/ground.ts'
import { createLife, type Life } from './operations/life.ts'
import { createOperationsServer } from './operations/operations-server.ts'
import { browserSession } from './session/browser-session.ts'
import { createSessionCookies } from './session/cookies.ts'
import { confirmRoute } from './session/confirm-route.ts'
import { draftRoutes } from './session/draft-routes.ts'
import { createDrafts } from './session/drafts.ts'
import { eventRoutes } from './session/event-routes.ts'
import { createJoin } from './session/join.ts'
import { browserRequests, launchRoutes } from './session/launch-routes.ts'
import { createOpenOwnLaunch } from './session/own-launch.ts'
import { clocksOf, createSessionRecords } from './session/session-records.ts'
import { createStaffSite } from './staff/create-staff-site.ts'
import { recordForm } from './store/create.ts'
import { createBindingVault } from './vault/bindings.ts'
import { createLaunchIndex } from './vault/launch-index.ts'
import { createRememberingVault } from './vault/memory.ts'
import { createPendingVault } from './vault/pending.ts'
import { createTokens } from './vault/refresh.ts'
import type { LaunchRecord } from './vault/record.ts'
import { createSweeper } from './vault/sweeper.ts'
import { createVault } from './vault/vault-store.ts'
import { createClientAddress } from './web/client-address.ts'
import { appRoutes, assetRoutes, createAppParts } from './web/app-routes.ts'
import { ownRoutes } from './web/own-routes.ts'
import { usualReader } from './smart/reader.ts'
import { createPages } from './web/pages.ts'
import { createPublicServer } from './web/public-server.ts'
import { launchRateLimit } from './web/rate-limit.ts'

/**
 * The composition root. Each part is built by hand, in the order in which the data passes: first what every part leans
 * on (log, audit, store), then the EHRs, the vault, the browser's session, the FHIR door, and last the two listeners
 * with their routes. Reading it from top to bottom is reading the way of a launch.
 */
export type App = Life

/** Pending cookies of one browser. */
const pendingMax = 16
const helperDirectory = fileURLToPath(new URL('../dist/browser/', import.meta.url))

/** Throws what a start can meet, and leaves nothing open behind. */
export async function createApp(config: Config): Promise<App> {
  const ground = await layGround(config)
  try {
    return await buildOn(config, ground)
  } catch (error) {
    await closeGround(ground)
    throw error
  }
}

async function buildOn(config: Config, ground: Ground): Promise<App> {
  const ehrSide = connectEhrs(config, ground)
  const launches = keepLaunches(config, ground, ehrSide)
  const fhir = openFhir(config, ground, launches)
  const browsers = await serveBrowsers(config, ground, ehrSide, launches, fhir)
  return assemble(config, ground, ehrSide, { launches, fhir, browsers })
}

/** Each tenant's EHR: discovery, OAuth, identity, and the tokens' way back. */
function connectEhrs(config: Config, { audit, log }: Ground) {
  const ehrs = createEhrs(config, {
    publicUrl: config.publicUrl,
    now: Date.now,
    onMoved: (tenant, operation) => log.error({ event: 'ehr.fault', tenant, operation }),
  })
  const directory = renewable(config, createDirectory)
  const keySet = renewable(config, ({ tenants }) => {
    const text = JSON.stringify(publicKeySet(tenants))
    return { text: () => text }
  })
  return {
    ehrs,
    directory: directory.part,
    keySet: keySet.part.text,
    renew: together([directory.renew, keySet.renew, renewEhrs(ehrs)]),
    refresh: createRefresh(ehrs),
    revoke: createRevoke({ ehrs, audit }),
    readStyle: async ({ tenant, context }: LaunchRecord) =>
      (await ehrs.get(tenant)?.styles.read(context.styleUrl)) ?? null,
  }
}

/** What the server holds of a launch (sealed), and what the browser holds of it (a cookie). */
function keepLaunches(config: Config, ground: Ground, ehrSide: EhrSide) {
  const { ehrs, refresh, directory, revoke } = ehrSide
  const { store, keyRing, now, audit, log, matrix, metrics } = ground
  const session = clocksOf(config)
  const onGarbage = ({ record, fault }: { record: string; fault: string }): void =>
    log.error({ event: 'store.fault', operation: record, reason: fault })

  const index = createLaunchIndex({ store, pseudonyms: ground.pseudonyms })
  const kept = { store, keyRing, now, session, index, onGarbage }
  const vault = matrix.watching(createVault({ ...kept, ...recordForm(config.store) }))
  const tokens = createTokens({
    vault,
    store,
    refresh,
    revoke,
    audit,
    now,
    onWaited: (seconds) => metrics.refreshWait(seconds),
    limits: {
      minIntervalMs: (tenant) => (ehrs.get(tenant)?.quirks.minRefreshSeconds ?? 0) * 1000,
    },
  })
  const signed = renewable(config, ({ keys }) => createSessionCookies({ secrets: keys.session }))
  const cookies = signed.part
  const drafts = renewable(config, ({ keys }) =>
    createDrafts({ store, keyRing, keys: keys.encryption }),
  )
  const records = createSessionRecords({ store, keyRing, now, ...session })
  const join = createJoin({
    records,
    store,
    bindings: createBindingVault({ store, keyRing, onGarbage }),
    vault,
    cookies,
  })
  return {
    absoluteMs: session.absoluteMs,
    index,
    vault,
    // Ends what is over, in every replica; nothing merely evaporates.
    sweeper: createSweeper({
      store,
      vault,
      sessions: records,
      audit,
      revoke,
      reindex: (key, record) => index.add(key, record),
      forgetDraft: (record) => drafts.part.forget(record),
      now,
    }),
    tokens,
    cookies,
    drafts: drafts.part,
    renew: together([signed.renew, drafts.renew]),
    records,
    join,
    pending: createPendingVault({ store, keyRing, now, onGarbage }),
    openOwnLaunch: createOpenOwnLaunch({
      vault,
      find: (tenant, mode) => directory.find(tenant, mode),
    }),
  }
}

/** The way of a FHIR request: src/fhir/pipeline.ts tells it step by step. */
function openFhir(config: Config, ground: Ground, launches: Launches) {
  const { now, audit, log, metrics, store, tracing } = ground
  const { tokens, cookies } = launches
  // Opened records stay in memory for as long as the store's link would tell of their end (DESIGN rule 12).
  const vault = createRememberingVault({ vault: launches.vault, store, now })
  const stations = { cookies, vault, tokens, store, audit, tracing }
  return createFhir(config, {
    startedAt: new Date(now()).toISOString(),
    ...stations,
    clientAddress: createClientAddress(config.trustProxy),
    log: {
      fault: (error, incident) => log.error({ event: 'request.failed', request: incident, error }),
    },
    onAnswer: (tenant, outcome, seconds) => metrics.upstream(tenant, outcome, seconds),
    onCircuit: (tenant, open) => {
      metrics.circuit(tenant, open)
      log.warn({ event: 'ehr.circuit', tenant, state: open ? 'open' : 'closed' })
    },
  })
}

/** The listener the browser meets. */
async function serveBrowsers(
  config: Config,
  ground: Ground,
  ehrSide: EhrSide,
  launches: Launches,
  fhir: Fhir,
): Promise<Browsers> {
  const { audit, log, store, now, pseudonyms, health } = ground
  const { cookies, drafts, records, openOwnLaunch } = launches
  const { publicUrl: publicOrigin } = config
  const limits = renewable(config, ({ rateLimits }) => ({
    launchPerMinute: () => rateLimits.launchPerMinute,
  }))
  const pages = createPages(usualReader(config.tenants))
  const app = createAppParts(config.app)
  const session = browserSession({ cookies, records, store, publicOrigin })

  const server = await createPublicServer({
    publicOrigin,
    trustProxy: config.trustProxy,
    tls: config.listen.tls,
    draining: () => health.status().word === 'draining',
    fhirDoor: fhir.door,
    pages,
    report: ({ code, incident, error }) => {
      if (isOurFault(code)) log.error({ event: 'request.failed', request: incident, error })
    },
  })

  const entry = { ...ehrSide, ...launches, audit, now, sessionCookies: cookies, pendingMax }

  // The EHR sends the clinician.
  await server.register(async (scope) => {
    await scope.register(launchRateLimit({ ...limits.part, store, pseudonyms }))
    await scope.register(
      entryRoutes({
        ...entry,
        pages,
        launchesMax: config.session.launchesPerBrowser,
        tracing: ground.tracing,
        callbackPaths: [...new Set(config.tenants.map(redirectPathOf))],
      }),
    )
  })
  // The app's document, for the browser whose launch it is.
  await server.register(async (scope) => {
    await scope.register(session)
    await scope.register(appRoutes({ ...app, openLaunch: openOwnLaunch }))
  })
  // What the app asks and says of its launch.
  await server.register(async (scope) => {
    scope.addHook('onRequest', browserRequests({ publicOrigin, audit }))
    await scope.register(session)
    await scope.register(eventRoutes({ store }))
    await scope.register(launchRoutes(entry))
    await scope.register(draftRoutes({ openOwnLaunch, drafts }))
    await scope.register(confirmRoute({ openOwnLaunch, confirm: fhir.confirm }))
    await scope.register(renewRoute(entry))
  })
  // What is nobody's in particular: no session, no store.
  await server.register(assetRoutes(app))
  await server.register(ownRoutes({ pages, helperDirectory }))
  await server.register(jwksRoute(ehrSide.keySet))
  return { server, renew: limits.renew }
}

/** Both listeners as one thing that starts and stops in order. */
function assemble(
  config: Config,
  ground: Ground,
  ehrSide: EhrSide,
  { launches, fhir, browsers }: Running,
): App {
  const { audit, log, store, health, tracing } = ground
  const { ehrs, revoke } = ehrSide
  const operations = createOperationsServer({
    health,
    metrics: ground.metrics,
    tls: config.operations.listen.tls,
  })
  const staff = createStaffSite(config, {
    ...ground,
    operations,
    ehrs,
    vault: launches.vault,
    launchIndex: launches.index,
    revoke,
    onFault: (error, request) => log.error({ event: 'staff.fault', request, error }),
  })
  const launchCount = createLaunchCount(store, (count) => ground.metrics.activeLaunches(count))
  return createLife({
    ...ground,
    config,
    operations,
    server: browsers.server,
    staff,
    recordConfiguration: (current) => recordConfiguration(current, audit),
    renewals: [
      ground,
      ehrSide,
      launches,
      fhir,
      browsers,
      ...(staff === undefined ? [] : [staff]),
    ].map(({ renew }) => renew),
    workers: [launches.sweeper, launchCount],
    connections: [fhir, ...ehrs.values(), ...(tracing === undefined ? [] : [tracing])],
    closeGround: () => closeGround(ground),
  })
}

type EhrSide = ReturnType<typeof connectEhrs>
type Launches = ReturnType<typeof keepLaunches>
interface Running {
  readonly launches: Launches
  readonly fhir: Fhir
  readonly browsers: Browsers
}
interface Browsers {
  readonly server: FastifyInstance
  readonly renew: Renewal<Config>
}
