import { mkdtemp, readFile, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createApp, type App } from '../../src/app.ts'
import type { Config } from '../../src/config/schema/config.ts'
import type { Vendor } from '../../src/config/schema/tenant.ts'
import { publicKeySet } from '../../src/ehr/client-keys.ts'
import type { SandboxOptions } from '../../src/sandbox/options.ts'
import { startSandbox, type Sandbox } from '../../src/sandbox/sandbox.ts'
import type { VendorName } from '../../src/sandbox/vendors.ts'
import type { LaunchContext } from '../../src/sandbox/authorization/launches.ts'
import { configOf, rawConfig, type Raw } from './config.ts'
import { newClientKey } from './keys.ts'
import { createCookieJar, freePort, plainFetch, type CookieJar } from './http.ts'

/** A whole hospital: the sandbox EHR and smart-bff, connected as two processes of different origins would be. */
export interface Hospital {
  readonly config: Config
  readonly app: App
  readonly sandbox: Sandbox
  /** The EHR of the second tenant, `south`, where the options asked for one. */
  readonly south: Sandbox | undefined
  readonly publicUrl: string
  readonly operationsUrl: string
  /** A browser without a screen: two jars, one for each origin. */
  browser(): TestBrowser
  /** Every line of the audit so far, parsed. */
  audit(): Promise<readonly Readonly<Record<string, unknown>>[]>
  auditText(): Promise<string>
  close(): Promise<void>
}

export interface TestBrowser {
  readonly jar: CookieJar
  /** Opens a URL and follows redirects between the two origins, as a frame would. */
  navigate(url: string, tamper?: Tamper): Promise<Navigation>
  /** The EHR's click for a patient, to the end. */
  launch(context: LaunchContext): Promise<Launched>
  /** A fetch as the app's page would send it. */
  fetch(path: string, init?: RequestInit): Promise<Response>
}

/** What somebody in between makes of a redirect's target. */
export type Tamper = (url: string) => string

export interface Navigation {
  readonly url: string
  readonly response: Response
  /** Every URL on the way, the last one included. */
  readonly trail: readonly string[]
}

export interface Launched extends Navigation {
  /** The launch id in the app's URL. Throws when the launch did not end there. */
  readonly launch: string
}

export interface HospitalOptions {
  readonly root?: Raw
  readonly tenant?: Raw
  readonly mode?: Raw
  readonly accessTokenSeconds?: number
  readonly refreshTokens?: 'rotate' | 'keep'
  /** A name, where it matters that it has to be looked up. */
  readonly sandboxHost?: string
  /** One that is still its own after `shut` and `open`; any port otherwise. */
  readonly sandboxPort?: number
  readonly sandboxTls?: NonNullable<SandboxOptions['tls']>
  /** The sandbox behaves as this vendor's EHR, and the tenant is configured with it. */
  readonly vendor?: Vendor
  /** The sandbox behaves as this server, whatever the tenant is configured with. */
  readonly server?: VendorName
  /** Origins of the EHR's that frame the app, beside the sandbox's own. */
  readonly framedBy?: readonly string[]
  /** A second tenant with an EHR of its own. */
  readonly south?: boolean
  /** Shares the EHR and the keys of another one: a second replica. */
  readonly beside?: Hospital
}

export async function startHospital(options: HospitalOptions = {}): Promise<Hospital> {
  const publicUrl = options.beside?.publicUrl ?? `http://localhost:${await freePort()}`
  const auditDirectory = await mkdtemp(join(tmpdir(), 'smart-bff-hospital-'))
  const listenPort = options.beside === undefined ? Number(new URL(publicUrl).port) : 0
  const raw = rawConfig({
    publicUrl,
    root: {
      listen: { host: 'localhost', port: listenPort },
      audit: { directory: auditDirectory },
      ...options.root,
    },
    ...(options.tenant === undefined && options.vendor === undefined
      ? {}
      : { tenant: { ...vendorOf(options), ...options.tenant } }),
    ...(options.mode === undefined ? {} : { mode: options.mode }),
  })
  const sandbox = options.beside?.sandbox ?? (await sandboxFor(raw, publicUrl, options))
  const south = options.south === true ? await startSouth(publicUrl, options) : undefined
  const north = withIss(raw, sandbox, options.framedBy)
  const tenants = [...(north['tenants'] as Raw[]), ...(south?.tenants ?? [])]
  const config = configOf({ ...north, tenants })
  const app = await createApp(config)
  const listening = await app.start()

  const readAudit = async (): Promise<string> => {
    const names = (await readdir(auditDirectory)).filter((name) => name.endsWith('.jsonl'))
    const texts = await Promise.all(
      names.toSorted().map((name) => readFile(join(auditDirectory, name), 'utf8')),
    )
    return texts.join('')
  }

  return {
    config,
    app,
    sandbox,
    south: south?.sandbox,
    publicUrl,
    operationsUrl: listening.operations,
    browser: () => createBrowser(listening.public, publicUrl, sandbox),
    auditText: readAudit,
    audit: async () =>
      (await readAudit())
        .split('\n')
        .filter((line) => line !== '')
        .map((line) => JSON.parse(line) as Record<string, unknown>),
    close: async () => {
      await app.stop()
      if (options.beside === undefined) await sandbox.close()
      await south?.sandbox.close()
      await rm(auditDirectory, { recursive: true, force: true })
    },
  }
}

async function startSouth(publicUrl: string, options: HospitalOptions) {
  const client = {
    id: 'smart-bff-south',
    auth: 'private_key_jwt',
    keys: [{ kid: 's2', alg: 'ES384', key: newClientKey('ES384') }],
  }
  const tenant = { ...options.tenant, id: 'south', name: 'South Hospital', client }
  const raw = rawConfig({ publicUrl, tenant, ...(options.mode && { mode: options.mode }) })
  const sandbox = await sandboxFor(raw, publicUrl, {})
  return { sandbox, tenants: withIss(raw, sandbox)['tenants'] as Raw[] }
}

const vendorOf = ({ vendor }: HospitalOptions): { readonly vendor?: Vendor } =>
  vendor === undefined ? {} : { vendor }

/** The sandbox knows the client by the keys that the configuration holds. */
export async function sandboxFor(
  raw: Raw,
  publicUrl: string,
  options: HospitalOptions,
): Promise<Sandbox> {
  const { tenants } = configOf(raw)
  const [tenant] = tenants
  if (tenant === undefined) throw new Error('a hospital needs a tenant')
  const { client } = tenant
  return startSandbox({
    ...(options.sandboxHost === undefined ? {} : { host: options.sandboxHost }),
    ...(options.sandboxPort === undefined ? {} : { port: options.sandboxPort }),
    ...(options.sandboxTls === undefined ? {} : { tls: options.sandboxTls }),
    launchUrl: `${publicUrl}/launch`,
    ...vendorOf(options),
    ...(options.server === undefined ? {} : { vendor: options.server }),
    ...(options.accessTokenSeconds === undefined
      ? {}
      : { accessTokenSeconds: options.accessTokenSeconds }),
    ...(options.refreshTokens === undefined ? {} : { refreshTokens: options.refreshTokens }),
    clients: [
      {
        clientId: client.id,
        auth: client.auth,
        ...('secret' in client ? { secret: client.secret.reveal() } : {}),
        ...(client.auth === 'private_key_jwt'
          ? { jwks: { keys: [...publicKeySet(tenants).keys] } }
          : {}),
        redirectUris: [`${publicUrl}${tenant.redirectPath ?? `/callback/${tenant.id}`}`],
      },
    ],
  })
}

export function withIss(raw: Raw, sandbox: Sandbox, framedBy: readonly string[] = []): Raw {
  const tenants = raw['tenants'] as Raw[]
  return {
    ...raw,
    tenants: tenants.map((tenant) => ({
      ...tenant,
      iss: sandbox.iss,
      frameAncestors: [sandbox.origin, ...framedBy],
    })),
  }
}

const redirectsMax = 12

export function createBrowser(
  listening: string,
  publicUrl: string,
  sandbox: Sandbox,
  send: typeof plainFetch = plainFetch,
  sendToEhr: typeof plainFetch = fetch,
): TestBrowser {
  const jar = createCookieJar(send)
  const ehrJar = createCookieJar(sendToEhr)
  /** A second replica listens elsewhere than its public URL says: what an ingress does, done here. */
  const route = (url: string): string =>
    url.startsWith(`${publicUrl}/`) ? listening + url.slice(publicUrl.length) : url

  const visit = (url: string): Promise<Response> =>
    url.startsWith(`${sandbox.origin}/`)
      ? ehrJar.fetch(url)
      : jar.fetch(route(url), { headers: navigationHeaders })

  const navigate: TestBrowser['navigate'] = async (url, tamper = (step) => step) => {
    const trail = [url]
    for (let count = 0; count < redirectsMax; count += 1) {
      const current = trail.at(-1) ?? url
      const response = await visit(current)
      const location = response.headers.get('location')
      if (location === null) return { url: current, response, trail }
      await response.body?.cancel()
      trail.push(tamper(new URL(location, current).href))
    }
    throw new Error(`too many redirects: ${trail.join(' ')}`)
  }

  return {
    jar,
    navigate,
    launch: async (context) => {
      const navigation = await navigate(sandbox.createLaunch(context).url)
      const launch = /\/app\/([A-Za-z0-9_-]+)\/$/.exec(navigation.url)?.[1]
      if (launch === undefined) {
        throw new Error(`the launch ended at ${navigation.url}: ${navigation.response.status}`)
      }
      return { ...navigation, launch }
    },
    fetch: (path, init = {}) =>
      jar.fetch(listening + path, {
        ...init,
        headers: { ...fetchHeaders, ...(init.headers as Record<string, string> | undefined) },
      }),
  }
}

const navigationHeaders = {
  accept: 'text/html',
  'sec-fetch-site': 'cross-site',
  'sec-fetch-mode': 'navigate',
  'sec-fetch-dest': 'iframe',
}

const fetchHeaders = {
  'sec-fetch-site': 'same-origin',
  'sec-fetch-mode': 'cors',
  'sec-fetch-dest': 'empty',
}
