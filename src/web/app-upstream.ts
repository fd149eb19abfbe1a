import type { FastifyReply } from 'fastify'
import type { Readable } from 'node:stream'
import { Pool } from 'undici'
import { SmartBffError } from '../errors.ts'
import { type AppSource, maxDocumentBytes } from './app-source.ts'

const connections = 32
const connectTimeoutMs = 5_000
const headersTimeoutMs = 10_000
const bodyTimeoutMs = 30_000
const maxFileBytes = 67_108_864

/** No cookie, credential or forwarding header goes out, and only what describes the content comes back. */
const requestHeaders = ['accept', 'if-none-match', 'if-modified-since'] as const
const responseHeaders = [
  'content-type',
  'content-length',
  'content-language',
  'content-encoding',
  'etag',
  'last-modified',
] as const

type Headers = Readonly<Record<string, string | string[] | undefined>>

interface Answer {
  readonly statusCode: number
  readonly headers: Headers
  readonly body: Readable
}

/** `app.upstream`: an app server built with base `/`. Redirects are not followed. */
export function createAppUpstream(upstream: string): AppSource {
  const base = new URL(upstream)
  const pool = new Pool(base.origin, {
    connections,
    connect: { timeout: connectTimeoutMs },
    headersTimeout: headersTimeoutMs,
    bodyTimeout: bodyTimeoutMs,
    maxResponseSize: maxFileBytes,
    allowH2: false,
  })
  const prefix = base.pathname.replace(/\/$/, '')
  const ask = async (path: string, method: 'GET' | 'HEAD', headers: Headers): Promise<Answer> => {
    try {
      return await pool.request({
        path: `${prefix}/${path}`,
        method,
        headers: { ...headers, 'accept-encoding': 'identity' },
      })
    } catch (error) {
      throw new SmartBffError('APP_UNAVAILABLE', { cause: error })
    }
  }

  return {
    document: async (path) => {
      // The root is what every app server knows its index by.
      const answer = await ask(path === 'index.html' ? '' : path, 'GET', { accept: 'text/html' })
      if (!isUsable(answer, [200])) return undefined
      return readDocument(answer)
    },
    send: async (request, reply, path) => {
      const method = request.method === 'HEAD' ? 'HEAD' : 'GET'
      const answer = await ask(path, method, pick(request.headers, requestHeaders))
      const usable = isUsable(answer, [200, 304])
      // An app server that answers every path with its index would give a script that is HTML.
      if (!usable || isHtml(answer.headers)) {
        discard(answer.body)
        throw new SmartBffError('ROUTE_UNKNOWN')
      }
      return sendAnswer(reply, answer)
    },
    close: () => pool.close(),
  }
}

/** False for a missing file; throws for what is neither an answer nor a missing file. */
function isUsable({ statusCode, body }: Answer, statuses: readonly number[]): boolean {
  if (statuses.includes(statusCode)) return true
  discard(body)
  if (statusCode === 404 || statusCode === 410) return false
  throw new SmartBffError('APP_UNAVAILABLE', { detail: `app upstream: ${statusCode}` })
}

async function readDocument({ headers, body }: Answer): Promise<string> {
  const coded = headers['content-encoding'] !== undefined
  const length = Number(headers['content-length'] ?? 0)
  if (!isHtml(headers) || coded || length > maxDocumentBytes) {
    discard(body)
    throw new SmartBffError('APP_UNAVAILABLE', { detail: 'app upstream: not a document' })
  }
  const chunks: Buffer[] = []
  let size = 0
  try {
    for await (const bytes of bytesOf(body)) {
      size += bytes.length
      if (size > maxDocumentBytes) throw new Error('document too large')
      chunks.push(bytes)
    }
  } catch (error) {
    throw new SmartBffError('APP_UNAVAILABLE', { cause: error })
  }
  return Buffer.concat(chunks).toString('utf8')
}

/** An answer that is not wanted: its connection is given up, and the error that this makes is nobody's. */
function discard(body: Readable): void {
  body.on('error', () => undefined).destroy()
}

function bytesOf(body: Readable): AsyncIterable<Buffer> {
  return body
}

function sendAnswer(reply: FastifyReply, { statusCode, headers, body }: Answer): FastifyReply {
  return reply.code(statusCode).headers(pick(headers, responseHeaders)).send(body)
}

function isHtml(headers: Headers): boolean {
  return /^(text\/html|application\/xhtml\+xml)\b/i.test(String(headers['content-type'] ?? ''))
}

function pick(headers: Headers, names: readonly string[]): Record<string, string> {
  return Object.fromEntries(
    names.flatMap((name) => {
      const value = headers[name]
      return typeof value === 'string' ? [[name, value]] : []
    }),
  )
}
