import type { FastifyReply, FastifyRequest } from 'fastify'

/** Where the app's files come from: a directory, or a server of the developer's. */
export interface AppSource {
  /** The text of an HTML document; undefined where there is none. Throws APP_UNAVAILABLE. */
  document(path: string): Promise<string | undefined>
  /** Answers with a file that is no document: content and validators, nothing else. Throws ROUTE_UNKNOWN, APP_UNAVAILABLE. */
  send(request: FastifyRequest, reply: FastifyReply, path: string): Promise<FastifyReply>
  close(): Promise<void>
}

/** Larger than any page; it is held in memory to put the helper in. */
export const maxDocumentBytes = 5_242_880
