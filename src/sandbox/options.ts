import { type VendorName, vendors } from './vendors.ts'

/** One registered client of the sandbox's authorization server. */
export interface SandboxClient {
  readonly clientId: string
  readonly auth: 'none' | 'client_secret_basic' | 'client_secret_post' | 'private_key_jwt'
  readonly secret?: string
  /** The public keys of a private_key_jwt client, given inline. */
  readonly jwks?: { readonly keys: readonly object[] }
  /** Where the authorization server fetches them instead. */
  readonly jwksUri?: string
  readonly redirectUris: readonly string[]
}

/** What `startSandbox` and the command line may choose; everything has a default. */
export interface SandboxOptions {
  readonly host?: string
  /** 0 chooses a free port. */
  readonly port?: number
  /** Serves https under the name in this certificate, as an EHR outside development must. */
  readonly tls?: {
    readonly name: string
    readonly cert: string
    readonly key: string
    /** Nobody is let in without a certificate of one of these authorities (mutual TLS). */
    readonly clients?: string
  }
  /** The app's launch URL, which EHR pages and `createLaunch` open. */
  readonly launchUrl?: string
  readonly clients?: readonly SandboxClient[]
  /** The same seed gives the same patients, ids and values. */
  readonly seed?: number
  /** The instant the records are relative to; the start of the process otherwise. */
  readonly now?: Date
  readonly accessTokenSeconds?: number
  /** `rotate`: a new refresh token each time, reuse ends the grant. `keep`: the same one stays. */
  readonly refreshTokens?: 'rotate' | 'keep'
  readonly vendor?: VendorName
  /** Resources per page where a search names no `_count`. */
  readonly pageSize?: number
}

export interface Settled {
  readonly host: string
  readonly port: number
  readonly tls: SandboxOptions['tls']
  readonly launchUrl: string
  readonly clients: readonly SandboxClient[]
  readonly seed: number
  readonly now: Date
  readonly accessTokenSeconds: number
  readonly refreshTokens: 'rotate' | 'keep'
  readonly vendor: VendorName
  readonly pageSize: number
}

/** The client that is registered when none is named: public, with the demo's redirect address. */
const publicClient: SandboxClient = {
  clientId: 'smart-bff-demo',
  auth: 'none',
  redirectUris: ['http://localhost:3000/callback/demo'],
}

export function settle(options: SandboxOptions): Settled {
  const vendor = vendors[options.vendor ?? 'generic']
  return {
    host: options.host ?? '127.0.0.1',
    port: options.port ?? 0,
    tls: options.tls,
    launchUrl: options.launchUrl ?? 'http://localhost:3000/launch',
    clients: options.clients ?? [publicClient],
    seed: options.seed ?? 20260401,
    now: options.now ?? new Date(),
    accessTokenSeconds: options.accessTokenSeconds ?? vendor.accessTokenSeconds,
    refreshTokens: options.refreshTokens ?? vendor.refreshTokens,
    vendor: options.vendor ?? 'generic',
    pageSize: options.pageSize ?? 50,
  }
}
