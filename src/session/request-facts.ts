import type { Tenant } from '../config/schema/tenant.ts'
import type { Reader } from '../smart/reader.ts'
import type { HeldSession } from './session-records.ts'

/** What a request carries from hook to handler: the only place where Fastify's types are widened. */
declare module 'fastify' {
  interface FastifyRequest {
    /** The incident number: in SMART-BFF-Request, on every page, and `request` in the audit. */
    incident: string
    /** Set as soon as it is known whose launch this is: an error's page then carries its support text and may be framed by it. */
    tenant: Tenant | undefined
    /** Set with it: an error's page then speaks to this reader. */
    reader: Reader | undefined
  }

  interface Session {
    /** Undefined: this browser has no session. */
    held?: HeldSession
  }
}
