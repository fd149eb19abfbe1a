import { Agent, request } from 'undici'
import type { Config } from '../../config/schema/config.ts'
import type { FhirAuditEvent } from './audit-event.ts'

/**
 * IHE ITI-20, FHIR Feed: AuditEvents to an Audit Record Repository, as one batch Bundle or one by one. What became of
 * each is answered; nothing of the repository's own text is read into a log.
 */
export interface Repository {
  post(events: readonly FhirAuditEvent[]): Promise<Posted>
  close(): Promise<void>
}

export interface Posted {
  readonly accepted: number
  /** To be sent again. */
  readonly again: readonly FhirAuditEvent[]
  /** Never to be sent again: the repository understood, and refused. */
  readonly rejected: readonly FhirAuditEvent[]
  /** From `Retry-After`, where it was given in seconds. */
  readonly retryAfterMs: number | undefined
  /** Of the first that was not accepted: a status, or the code of a connection's fault. */
  readonly reason: string | undefined
}

export type RepositoryConfig = NonNullable<Config['audit']['fhir']>

const timeoutMs = 15_000
const maxAnswerBytes = 4_194_304

export function createRepository(config: RepositoryConfig): Repository {
  const { clientCertificate, ca, authorization, feed } = config
  const agent = new Agent({
    connections: 2,
    headersTimeout: timeoutMs,
    bodyTimeout: timeoutMs,
    maxResponseSize: maxAnswerBytes,
    connect: {
      timeout: timeoutMs,
      ...(ca === undefined ? {} : { ca: ca.reveal() }),
      ...(clientCertificate === undefined
        ? {}
        : { cert: clientCertificate.cert.reveal(), key: clientCertificate.key.reveal() }),
    },
  })
  const url = config.url.replace(/\/+$/, '')

  async function send(address: string, body: unknown): Promise<Answer> {
    try {
      const answer = await request(address, {
        method: 'POST',
        dispatcher: agent,
        headers: {
          'content-type': 'application/fhir+json',
          accept: 'application/fhir+json',
          ...(authorization === undefined ? {} : { authorization: authorization.reveal() }),
        },
        body: JSON.stringify(body),
      })
      const text = await answer.body.text()
      return {
        status: answer.statusCode,
        text,
        retryAfter: String(answer.headers['retry-after'] ?? ''),
      }
    } catch (error) {
      return { status: 0, text: '', retryAfter: '', reason: codeOf(error) }
    }
  }

  return {
    async post(events) {
      if (feed === 'batch') {
        const answer = await send(url, bundleOf(events))
        // A repository may refuse a Bundle for its size, or for one entry that it does not like.
        if (answer.status < 400 || isWorthAnother(answer.status)) return readBatch(events, answer)
      }
      let done = nothing
      for (const [index, event] of events.entries()) {
        // oxlint-disable-next-line no-await-in-loop -- in their order, and none after one that must be sent again
        const answer = await send(`${url}/AuditEvent`, event)
        done = add(done, judge(answer, [event]))
        if (done.again.length > 0) return { ...done, again: events.slice(index) }
      }
      return done
    },
    /** What is under way counts as not sent, and is sent again after the next start. */
    close: () => agent.destroy(),
  }
}

interface Answer {
  readonly status: number
  readonly text: string
  readonly retryAfter: string
  readonly reason?: string
}

const nothing: Posted = {
  accepted: 0,
  again: [],
  rejected: [],
  retryAfterMs: undefined,
  reason: undefined,
}

const bundleOf = (events: readonly FhirAuditEvent[]) => ({
  resourceType: 'Bundle',
  type: 'batch',
  entry: events.map((resource) => ({ resource, request: { method: 'POST', url: 'AuditEvent' } })),
})

/** The Bundle as a whole, and then each of its entries, paired by their order (FHIR R4 http.html, batch). */
function readBatch(events: readonly FhirAuditEvent[], answer: Answer): Posted {
  // Any other success says nothing of the entries.
  if (answer.status !== 200) return judge(answer.status < 300 ? unreadable(answer) : answer, events)
  const statuses = entryStatuses(answer.text)
  if (statuses?.length !== events.length) return judge(unreadable(answer), events)
  return events
    .map((event, index) => judge({ ...answer, status: statuses[index] ?? 0 }, [event]))
    .reduce(add, nothing)
}

const unreadable = (answer: Answer): Answer => ({ ...answer, status: 0, reason: 'unreadable' })

function entryStatuses(text: string): readonly number[] | undefined {
  try {
    const entry: unknown = Object(JSON.parse(text)).entry
    if (!Array.isArray(entry)) return undefined
    return entry.map((one: unknown) => {
      const status: unknown = Object(Object(one).response).status
      return Number(/^\d{3}/.exec(String(status))?.[0] ?? 0)
    })
  } catch {
    return undefined
  }
}

/** RFC 9110 15.5: what a later try cannot change is rejected; credentials and limits can. */
const worthAnother = new Set([0, 401, 403, 404, 405, 408, 425, 429])

const isWorthAnother = (status: number): boolean =>
  worthAnother.has(status) || status >= 500 || (status >= 300 && status < 400)

function judge(answer: Answer, events: readonly FhirAuditEvent[]): Posted {
  const { status, retryAfter } = answer
  if (status >= 200 && status < 300) return { ...nothing, accepted: events.length }
  const reason = answer.reason ?? String(status)
  const seconds = /^\d{1,5}$/.test(retryAfter) ? Number(retryAfter) : undefined
  const retryAfterMs = seconds === undefined ? undefined : seconds * 1000
  return isWorthAnother(status)
    ? { ...nothing, again: events, reason, retryAfterMs }
    : { ...nothing, rejected: events, reason }
}

const add = (a: Posted, b: Posted): Posted => ({
  accepted: a.accepted + b.accepted,
  again: [...a.again, ...b.again],
  rejected: [...a.rejected, ...b.rejected],
  retryAfterMs: a.retryAfterMs ?? b.retryAfterMs,
  reason: a.reason ?? b.reason,
})

function codeOf(error: unknown): string {
  const code: unknown = Object(error).code
  return typeof code === 'string' && /^[A-Z_]{3,40}$/.test(code) ? code : 'fault'
}
