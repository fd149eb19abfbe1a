import { watchLaunch } from './smart-bff-watch.ts'

/**
 * The helper that runs in the app's document, served as `/smart-bff.js`. It knows which launch this document belongs
 * to, and gives the app one thing: a FHIR base that can do only what this launch may do. It holds no token and keeps
 * nothing: web storage, Web Locks and SharedWorker do not exist in a cross-site frame.
 *
 *     import { connect } from '/smart-bff.js'
 *     const bff = await connect()
 *     const answer = await bff.fhir(`Patient/${bff.launch.patient}`)
 */

/** What a user can be told; the same ten states as on the server's pages. */
export type UserState =
  | 'authorization_expired'
  | 'session_ended'
  | 'context_changed'
  | 'patient_context_missing'
  | 'scope_insufficient'
  | 'not_permitted'
  | 'write_conflict'
  | 'write_uncertain'
  | 'data_unavailable'
  | 'configuration_invalid'

// `/smart-bff.d.ts` is one file, so the two types of launch-info.ts stand here again; a test compares them.

/** What `GET /launches/:launch` answers: all an app may know of its launch. Never a token. */
export interface LaunchInfo {
  readonly launch: string
  readonly state: string
  readonly tenant: { readonly id: string; readonly name: string }
  readonly mode: string
  /** The FHIR base URL of this launch, a path on this origin: `/fhir/<launch>`. */
  readonly fhir: string
  readonly user: { readonly fhirUser: string | null; readonly kind: string | null }
  readonly patient: string | null
  readonly encounter: string | null
  readonly fhirContext: readonly Readonly<Record<string, unknown>>[]
  readonly intent: string | null
  readonly needPatientBanner: boolean
  readonly style: Readonly<Record<string, string>> | null
  /** Granted scopes. */
  readonly scopes: readonly string[]
  readonly allow: readonly AllowInfo[]
  /** ISO 8601 instants; `token` is null where the EHR did not say. */
  readonly expires: {
    readonly idle: string
    readonly absolute: string
    readonly token: string | null
  }
  readonly support: string | null
}

export interface AllowInfo {
  readonly feature: string
  readonly resource?: string
  readonly interactions?: readonly string[]
  readonly operation?: string
  readonly bundle?: readonly string[]
}

export interface SmartBff {
  readonly launch: LaunchInfo
  /** The absolute FHIR base of this launch, without a slash at its end; any FHIR client library can be given it. */
  readonly url: string
  /**
   * Fetches below the FHIR base: `Patient/7`, `Observation?category=vital-signs`, or an absolute URL under the base
   * such as a Bundle's next link. Resolves only with a 2xx answer. Rejects with SmartBffError otherwise, and with the
   * signal's own reason when `init.signal` was aborted.
   */
  fhir(path: string, init?: RequestInit): Promise<Response>
  /** Answers what stops the listening. */
  on<K extends keyof SmartBffEvents>(
    type: K,
    listener: (event: SmartBffEvents[K]) => void,
  ): () => void
  /**
   * Leads this document through a new authorization of the same user and patient; it comes back where it is. Rejects
   * with `authorization_expired` where the EHR has to open the app again from the chart.
   */
  reauthorize(): Promise<void>
  /** One sealed draft of this user and patient, for up to 24 hours; survives a new authorization and a new launch. */
  readonly draft: Draft
  /** Ends this launch; the document is emptied. */
  end(): Promise<void>
}

export interface SmartBffEvents {
  /** The launch was read and is current; after a cover the app is to be seen again. */
  readonly active: LaunchInfo
  /** The countdown to the end by the idle clock is shown. `endsAt` in milliseconds since the epoch. */
  readonly idle: { readonly endsAt: number }
  /** The EHR asks for a new authorization. The app is covered, still runs, and can store a draft. */
  readonly reauthorize: SmartBffError
  /** This launch is over, and the document was emptied. */
  readonly ended: SmartBffError
}

export interface Draft {
  /** Null where there is none. */
  read(): Promise<unknown>
  /**
   * At most 256 KB of JSON. Rejects with `write_conflict` where there is a draft that was not read, or another frame has
   * written since: read it, and decide what becomes of both.
   */
  write(value: unknown): Promise<void>
  /** Rejects like `write`. */
  remove(): Promise<void>
}

/** `status` is 0 where no answer was received. `incident` finds the audit record. */
export class SmartBffError extends Error {
  readonly state: UserState
  readonly status: number
  readonly sentence: string
  readonly incident: string | null
  readonly support: string | null
  /** The OperationOutcome of a refused FHIR request, where there was one. */
  readonly outcome: unknown

  constructor(problem: Problem) {
    super(problem.sentence)
    this.name = 'SmartBffError'
    this.state = problem.state
    this.status = problem.status
    this.sentence = problem.sentence
    this.incident = problem.incident ?? null
    this.support = problem.support ?? null
    this.outcome = problem.outcome ?? null
  }

  /** True where this launch will answer nothing any more: an app then removes what it shows of the patient. */
  get over(): boolean {
    return over.includes(this.state)
  }
}

interface Problem {
  readonly state: UserState
  readonly status: number
  readonly sentence: string
  readonly incident?: string | null
  readonly support?: string | null
  readonly outcome?: unknown
}

type Json = Readonly<Record<string, unknown>>

const over: readonly UserState[] = ['authorization_expired', 'session_ended', 'context_changed']

/** The server says more in its answer; these stand in where there is no sentence to read. */
const sentences: Readonly<Record<UserState, string>> = {
  authorization_expired: 'The EHR asks you to open the app again.',
  session_ended: 'This session has ended.',
  context_changed: 'Another patient was opened.',
  patient_context_missing: 'No patient is open.',
  scope_insufficient: 'The EHR has not given the app access to this.',
  not_permitted: 'The app is not allowed to do this.',
  write_conflict: 'The record has changed in the EHR. Nothing was saved.',
  write_uncertain: 'The change may have been saved. Check the chart before repeating.',
  data_unavailable: 'The data is not available right now.',
  configuration_invalid: 'The app is not set up correctly.',
}

/** Finds this document's launch and asks the server about it. Rejects with SmartBffError unless it is active. */
export async function connect(): Promise<SmartBff> {
  if (own === null || watch === null || draft === null) {
    throw problem('session_ended', 0, 'This page does not belong to a launch.')
  }
  const { info } = await readLaunch(own)
  wearStyle(info.style)
  const url = `${location.origin}/fhir/${own}`
  return Object.freeze({
    launch: info,
    url,
    async fhir(path: string, init: RequestInit = {}): Promise<Response> {
      try {
        return await send(below(url, path), withFhirHeaders(init))
      } catch (error) {
        // Whether the whole launch is over is for the launch itself to say.
        if (error instanceof SmartBffError && error.over) void watch.check()
        throw error
      }
    },
    on: watch.on,
    reauthorize: () => reauthorize(own),
    draft,
    async end(): Promise<void> {
      await send(`${location.origin}/launches/${own}`, { method: 'DELETE' })
      await watch.check(true)
    },
  })
}

async function reauthorize(id: string): Promise<void> {
  const url = `${location.origin}/launches/${id}/reauthorize`
  // Where in the app this document is: it comes back there.
  const at = location.href.split(`/app/${id}/`)[1]
  const headers = { 'content-type': 'application/json' }
  const answer = await send(url, { method: 'POST', headers, body: JSON.stringify({ at }) })
  const told: unknown = await answer.json()
  const place = isObject(told) ? text(told['location']) : null
  if (place === null) throw problem('data_unavailable', 0)
  location.assign(place)
}

/**
 * The server's ETag is kept between the calls, so that two frames never write over each other unseen. Until a draft was
 * read, only one that is not there may be written.
 */
function createDraft(url: string): Draft {
  let tag = '"none"'
  const ask = async (init: RequestInit): Promise<Response> => {
    const answer = await send(url, init)
    tag = answer.headers.get('etag') ?? tag
    return answer
  }
  const read = async (): Promise<unknown> => {
    const answer = await ask({})
    return answer.status === 204 ? null : answer.json()
  }
  const change = async (init: RequestInit): Promise<void> => {
    await ask({ ...init, headers: { 'if-match': tag, 'content-type': 'application/json' } })
  }
  return {
    read,
    write: (value) => change({ method: 'PUT', body: JSON.stringify(value) }),
    remove: () => change({ method: 'DELETE' }),
  }
}

/** `/app/<launch>/…`: the launch stands in the URL, a cookie alone never chooses a patient (DESIGN rule 2). */
function launchOf(pathname: string): string | null {
  return /^\/app\/([A-Za-z0-9_-]{1,128})(?:\/|$)/.exec(pathname)?.[1] ?? null
}

async function readLaunch(
  id: string,
  signal?: AbortSignal,
): Promise<{ info: LaunchInfo; serverTime: number }> {
  const answer = await send(`${location.origin}/launches/${id}`, signal ? { signal } : {})
  const info: unknown = await answer.json().catch(() => null)
  if (!isLaunchInfo(info) || info.launch !== id) throw problem('data_unavailable', answer.status)
  if (info.state !== 'active') throw problem('authorization_expired', answer.status)
  return { info, serverTime: Date.parse(answer.headers.get('date') ?? '') }
}

/** The EHR's look as CSS variables: `color_background` becomes `--smart-color-background`. */
function wearStyle(style: LaunchInfo['style']): void {
  for (const [name, value] of Object.entries(style ?? {})) {
    const variable = `--smart-${name.replaceAll('_', '-')}`
    document.documentElement.style.setProperty(variable, value)
  }
}

/** Everything but this launch's own base is refused here, so a link in a resource can lead nowhere else. */
function below(base: string, path: string): string {
  const url = URL.parse(path, `${base}/`)
  const pathname = new URL(base).pathname
  const inside = url?.pathname === pathname || url?.pathname.startsWith(`${pathname}/`)
  if (!url || !inside || url.origin !== location.origin || url.username || url.password) {
    throw problem('not_permitted', 0, 'This address is not part of the launch.')
  }
  url.hash = ''
  return url.href
}

function withFhirHeaders(init: RequestInit): RequestInit {
  const headers = new Headers(init.headers)
  if (!headers.has('accept')) headers.set('accept', 'application/fhir+json')
  if (typeof init.body === 'string' && !headers.has('content-type')) {
    headers.set('content-type', 'application/fhir+json')
  }
  return { ...init, headers }
}

async function send(url: string, init: RequestInit): Promise<Response> {
  const headers = new Headers(init.headers)
  headers.set('smart-bff', '1')
  const request: RequestInit = {
    ...init,
    headers,
    mode: 'same-origin',
    credentials: 'same-origin',
    cache: 'no-store',
    redirect: 'error',
  }
  const answer = await fetch(url, request).catch((fault: unknown) => {
    if (init.signal?.aborted) throw fault
    // A write whose answer was lost may have been carried out (DESIGN rule 8).
    const reading = /^(get|head)$/i.test(init.method ?? 'GET')
    throw problem(reading ? 'data_unavailable' : 'write_uncertain', 0)
  })
  if (!answer.ok) throw await refused(answer)
  return answer
}

/** Reads what the server says: `{ state, sentence, incident, support }` on /launches, an OperationOutcome on /fhir. */
async function refused(answer: Response): Promise<SmartBffError> {
  const read: unknown = await answer.json().catch(() => null)
  const body: Json = isObject(read) ? read : {}
  const outcome = body['resourceType'] === 'OperationOutcome' ? body : null
  const state = stateOf(answer.headers.get('smart-bff-state') ?? body['state'], answer.status)
  return new SmartBffError({
    state,
    status: answer.status,
    sentence: text(outcome ? outcomeText(outcome) : body['sentence']) ?? sentences[state],
    incident: text(answer.headers.get('smart-bff-request')) ?? text(body['incident']),
    support: text(body['support']),
    outcome,
  })
}

function stateOf(value: unknown, status: number): UserState {
  if (isUserState(value)) return value
  return status === 401 ? 'session_ended' : 'data_unavailable'
}

function outcomeText(outcome: Json): unknown {
  const issues: unknown = outcome['issue']
  const first: unknown = Array.isArray(issues) ? issues[0] : null
  if (!isObject(first)) return null
  const details = first['details']
  return (isObject(details) ? details['text'] : null) ?? first['diagnostics']
}

const problem = (state: UserState, status: number, sentence = sentences[state]): SmartBffError =>
  new SmartBffError({ state, status, sentence })

const isObject = (value: unknown): value is Json =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

/** Our own server is trusted for the rest of the shape. */
const isLaunchInfo = (value: unknown): value is LaunchInfo =>
  isObject(value) && typeof value['launch'] === 'string' && typeof value['state'] === 'string'

const isUserState = (value: unknown): value is UserState =>
  typeof value === 'string' && Object.hasOwn(sentences, value)

const text = (value: unknown): string | null =>
  typeof value === 'string' && value !== '' ? value : null

const own = launchOf(location.pathname)
const draft = own === null ? null : createDraft(`${location.origin}/launches/${own}/draft`)
const watch =
  own === null
    ? null
    : watchLaunch({
        id: own,
        read: (signal) => readLaunch(own, signal),
        active: () =>
          send(`${location.origin}/launches/${own}/activity`, { method: 'POST' }).catch(() => null),
        reauthorize: () => reauthorize(own),
        isOver: (error): error is SmartBffError => error instanceof SmartBffError && error.over,
      })
