import { createServer, type Server } from 'node:http'
import { createServer as createTlsServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { createTokenStorage } from './authorization/adapter.ts'
import { discoveryDocument, openidConfiguration } from './authorization/discovery.ts'
import { createSigningKey } from './authorization/keys.ts'
import type { Launch, LaunchContext } from './authorization/launches.ts'
import { createLaunches } from './authorization/launches.ts'
import { createAuthorizationServer } from './authorization/server.ts'
import type { Control, Settings } from './control/control.ts'
import { createFaults } from './control/faults.ts'
import type { LoggedRequest } from './control/log.ts'
import { createRequestLog } from './control/log.ts'
import { createAccess } from './fhir/access.ts'
import { indexSearchParameters } from './fhir/definitions.ts'
import { createPaging } from './fhir/paging.ts'
import { createFhir } from './fhir/routes.ts'
import { createStore } from './fhir/store.ts'
import type { SandboxOptions, Settled } from './options.ts'
import { settle } from './options.ts'
import type { SyntheticPatient } from './patients/generate.ts'
import { generate } from './patients/generate.ts'
import type { Clinician } from './patients/organization.ts'
import { createListener } from './server.ts'
import { vendors } from './vendors.ts'

/** A running sandbox EHR: a SMART on FHIR server full of synthetic patients. */
export interface Sandbox {
  readonly origin: string
  /** The FHIR base, which is also the launch's `iss` and the authorization request's `aud`. */
  readonly iss: string
  readonly patients: readonly SyntheticPatient[]
  readonly clinicians: readonly Clinician[]
  /** The patient with this key ('amara', 'bart', …); throws for an unknown key. */
  patient(key: string): SyntheticPatient
  createLaunch(context?: LaunchContext): Launch
  readonly control: Control
  requests(): readonly LoggedRequest[]
  /** As if nobody were there: connections are cut, and new ones refused, until `open`. */
  shut(): Promise<void>
  open(): Promise<void>
  close(): Promise<void>
}

const issuedMax = 10_000

/** Starts a sandbox EHR; the same seed gives the same patients. Rejects when the port is taken. */
export async function startSandbox(options: SandboxOptions = {}): Promise<Sandbox> {
  const settled = settle(options)
  indexSearchParameters()
  const { patients, clinicians, records } = generate(settled)
  const store = await createStore(records)
  const signingKey = await createSigningKey()

  // The port is needed before anything that writes addresses can be built.
  const server = serverOf(settled)
  await listening(server, settled)
  const { port } = server.address() as AddressInfo
  const origin = originOf(settled, port)
  const vendor = vendors[settled.vendor]
  const base = `${origin}/fhir/r4`
  const iss = vendor.issSlash ? `${base}/` : base
  const issuer = `${origin}/oauth`

  const log = createRequestLog()
  const faults = createFaults()
  let settings = initial(settled)
  const launches = createLaunches(() => settled.launchUrl, iss)
  const storage = createTokenStorage(() => settings.clockOffsetSeconds)
  const paging = createPaging({
    base,
    pageSize: settled.pageSize,
    style: () => settings.paging,
  })

  const issued: string[] = []

  const control: Control = {
    settings: () => settings,
    set: (changes) => (settings = { ...settings, ...changes }),
    faults: () => faults.list(),
    setFaults: (list) => faults.set(list),
    requests: () => log.entries(),
    clearRequests: () => log.clear(),
    issued: () => [...issued],
    createLaunch: (context = {}) => launches.create(context),
    revoke: (which) => storage.revoke(kinds[which]),
    reset() {
      settings = initial(settled)
      faults.set([])
      log.clear()
      storage.revoke([...kinds.all, 'AuthorizationCode', 'Grant', 'Session'])
      issued.length = 0
      launches.forget()
      paging.forget()
    },
  }

  const [clinician] = clinicians
  const provider = createAuthorizationServer({
    issuer,
    iss,
    clients: settled.clients,
    launches,
    storage,
    control,
    vendor,
    origin,
    base,
    signingKey,
    onIssued: (token) => {
      if (issued.length < issuedMax) issued.push(token)
    },
    defaultUser: `Practitioner/${clinician.id}`,
  })
  const fhir = createFhir({
    store,
    base,
    paging,
    forbidden: vendor.forbidden,
    async authorize(bearer) {
      const token = bearer === undefined ? undefined : await provider.AccessToken.find(bearer)
      if (!token?.isValid) return undefined
      return createAccess(token.scope ?? '', launches.ofGrant(token.grantId)?.patient)
    },
  })
  server.on(
    'request',
    createListener({
      origin,
      vendor,
      log,
      faults,
      control,
      fhir,
      store,
      patients,
      clinicians,
      launchUrl: settled.launchUrl,
      discovery: () => discoveryDocument(vendor, origin, settings.discovery),
      openidConfiguration: (path) => openidConfiguration(vendor, origin, path),
      authorization: provider.callback(),
    }),
  )

  const shut = async (): Promise<void> => {
    server.closeAllConnections()
    await new Promise<void>((resolve) => server.close(() => resolve()))
  }
  return {
    origin,
    iss,
    patients,
    clinicians,
    patient(key) {
      const found = patients.find((one) => one.key === key)
      if (found === undefined) throw new Error(`no synthetic patient has the key ${key}`)
      return found
    },
    createLaunch: (context) => control.createLaunch(context),
    control,
    requests: () => control.requests(),
    shut,
    open: () => listening(server, { ...settled, port }),
    close: shut,
  }
}

const kinds = {
  all: ['AccessToken', 'RefreshToken'],
  access: ['AccessToken'],
  refresh: ['RefreshToken'],
} as const

function initial(settled: Settled): Settings {
  return {
    accessTokenSeconds: settled.accessTokenSeconds,
    refreshTokenSeconds: 86_400,
    refreshTokens: settled.refreshTokens,
    clockOffsetSeconds: 0,
    grantedScopes: null,
    tokenResponse: null,
    idToken: null,
    discovery: null,
    authorizeError: null,
    paging: 'offset',
    standalone: null,
  }
}

function serverOf({ tls }: Settled): Server {
  if (tls === undefined) return createServer()
  const { cert, key, clients } = tls
  if (clients === undefined) return createTlsServer({ cert, key })
  return createTlsServer({ cert, key, ca: clients, requestCert: true, rejectUnauthorized: true })
}

function originOf({ tls, host }: Settled, port: number): string {
  if (tls !== undefined) return `https://${tls.name}:${port}`
  return `http://${host === '0.0.0.0' ? '127.0.0.1' : host}:${port}`
}

function listening(server: Server, { host, port }: Settled): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen(port, host, () => {
      server.off('error', reject)
      resolve()
    })
  })
}
