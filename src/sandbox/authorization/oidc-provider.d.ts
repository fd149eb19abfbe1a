/** The part of oidc-provider 9 that the sandbox uses; the package brings no types of its own. */
declare module 'oidc-provider' {
  import type { IncomingMessage, ServerResponse } from 'node:http'

  export interface Grant {
    jti: string
    addOIDCScope(scope: string): void
    addResourceScope(resource: string, scope: string): void
    getResourceScope(resource: string): string
    save(): Promise<string>
  }

  export interface AccessToken {
    readonly accountId: string
    readonly clientId: string
    readonly grantId: string
    readonly scope?: string
    readonly isValid: boolean
  }

  export interface Client {
    readonly clientId: string
    grantTypeAllowed(type: string): boolean
  }

  export interface Session {
    loginAccount(details: { accountId: string; transient?: boolean }): void
    ensureClientContainer(clientId: string): void
    grantIdFor(clientId: string, grantId: string): void
  }

  export interface Context {
    readonly path: string
    readonly method: string
    status: number
    body: unknown
    type: string
    readonly oidc: {
      readonly provider: Provider
      readonly route: string
      readonly params: Record<string, string | undefined>
      readonly client: Client
      readonly session: Session
      readonly entities: { readonly Grant?: Grant; readonly AccessToken?: AccessToken }
      entity(name: string, value: unknown): void
    }
  }

  export interface Prompt {
    readonly checks: { clear(): void; add(check: interactionPolicy.Check): void }
  }

  export namespace interactionPolicy {
    // oxlint-disable-next-line typescript/no-extraneous-class -- it is the library's own shape
    export class Check {
      constructor(
        reason: string,
        description: string,
        check: (context: Context) => boolean | Promise<boolean>,
      )
    }
    export function base(): { get(name: 'login' | 'consent'): Prompt }
  }

  export namespace errors {
    export class InvalidRequest extends Error {
      constructor(description: string)
    }
    export class InvalidClientAuth extends Error {
      constructor(description: string)
    }
    export class AccessDenied extends Error {
      constructor(description: string)
    }
  }

  export class Provider {
    constructor(issuer: string, configuration: object)
    readonly Grant: new (of: { accountId: string; clientId: string }) => Grant
    readonly AccessToken: { find(value: string): Promise<AccessToken | undefined> }
    use(middleware: (context: Context, next: () => Promise<void>) => void | Promise<void>): void
    on(event: string, listener: (...details: never[]) => void): void
    callback(): (request: IncomingMessage, response: ServerResponse) => Promise<void>
  }

  export default Provider
}
