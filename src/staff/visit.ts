import type { FastifyReply, FastifyRequest } from 'fastify'
import type { Audit, AuditEvent } from '../audit/event.ts'
import { newIncident } from '../web/incident.ts'
import { may } from './permissions.ts'
import type { Permission } from './permissions.ts'
import { localZone } from './time-zone.ts'
import type { ReadSession, StaffMember, StaffSessions } from './staff-session.ts'
import type { StaffViews, ViewName } from './views.ts'

/**
 * One request of a member of the staff who may make it. What is looked at is recorded before it is shown; when that
 * cannot be done nothing is shown (DESIGN rule 8).
 */
export interface Visit {
  readonly request: FastifyRequest
  readonly reply: FastifyReply
  readonly member: StaffMember
  readonly incident: string
  /** In which the member reads times. */
  readonly zone: string
  /** From now on, also on other pages. */
  readIn(zone: string): void
  record(event: StaffEvent): Promise<void>
  show(view: ViewName, title: string, data: object): FastifyReply
  /** A page with one sentence and the way back. */
  say(status: number, title: string, sentence: string, back?: string): FastifyReply
  /** 404, as a page. */
  missing(): FastifyReply
}

export type StaffEvent = Pick<
  AuditEvent,
  'event' | 'outcome' | 'parameters' | 'count' | 'reason' | 'tenant' | 'launch'
>

export interface VisitDeps {
  readonly sessions: StaffSessions
  readonly audit: Pick<Audit, 'record'>
  readonly views: StaffViews
  readonly publicOrigin: string
  readonly now: () => number
}

export type Guard = (
  permission: Permission,
  act: (visit: Visit) => Promise<unknown>,
) => (request: FastifyRequest, reply: FastifyReply) => Promise<unknown>

export const notFound = {
  title: 'Not found',
  sentence: 'There is no page at this address.',
  link: { href: '/', label: 'Find' },
} as const

export const staffUser = (name: string) =>
  ({ issuer: undefined, subject: name, fhirUser: undefined, kind: 'staff' }) as const

export function createGuard(deps: VisitDeps): Guard {
  const { sessions, audit, views, now } = deps
  return (permission, act) => async (request, reply) => {
    const incident = newIncident()
    reply.header('smart-bff-request', incident)
    const session = await sessions.read(request.headers.cookie)
    const here = { request: incident, client: request.ip, actor: 'staff' } as const
    if (session.kind !== 'member') return askToSignIn(deps, session, request, reply, incident)
    const { member } = session
    const user = staffUser(member.name)
    const foreign = request.method !== 'GET' && !isOwnForm(request, deps.publicOrigin)
    if (foreign || !may(member.roles, permission)) {
      const reason = foreign ? 'form_foreign' : 'no_role'
      await audit.record({ event: 'staff.refused', outcome: 'refused', reason, user, ...here })
      return showMessage(views, reply, 403, incident, {
        title: 'Not for your role',
        sentence: 'Your role does not include this page. The refusal was recorded.',
        link: { href: '/', label: 'Back' },
        member,
      })
    }
    reply.header('set-cookie', sessions.write({ ...member, seenAt: now() }))
    return act({
      request,
      reply,
      member,
      incident,
      zone: member.zone ?? localZone(),
      readIn: (zone) => {
        reply.removeHeader('set-cookie')
        reply.header('set-cookie', sessions.write({ ...member, seenAt: now(), zone }))
      },
      record: (event) => audit.record({ ...event, user, ...here }),
      show: (view, title, data) =>
        reply
          .type('text/html; charset=utf-8')
          .send(views.render(view, { title, incident, member, data })),
      say: (status, title, sentence, back = '/') =>
        showMessage(views, reply, status, incident, {
          title,
          sentence,
          link: { href: back, label: 'Back' },
          member,
        }),
      missing: () => showMessage(views, reply, 404, incident, { ...notFound, member }),
    })
  }
}

/** Counted with the refusals of strangers, so that nobody can fill the disk by asking. */
async function askToSignIn(
  { audit, views }: VisitDeps,
  session: Exclude<ReadSession, { kind: 'member' }>,
  request: FastifyRequest,
  reply: FastifyReply,
  incident: string,
): Promise<FastifyReply> {
  const over = session.kind === 'over'
  await audit.record({
    event: 'staff.refused',
    outcome: 'refused',
    reason: over ? 'session_over' : 'not_signed_in',
    ...(over ? { user: staffUser(session.name) } : {}),
    request: incident,
    client: request.ip,
    actor: 'stranger',
  })
  return showMessage(views, reply, 401, incident, {
    title: over ? 'Your session is over' : 'Sign in',
    sentence: 'Sign in to see this page.',
    link: { href: '/sign-in', label: 'Sign in' },
  })
}

/** The cookie is Strict, so another site cannot send it; a browser that says where a form comes from must say: here. */
export function isOwnForm(request: FastifyRequest, publicOrigin: string): boolean {
  const { origin } = request.headers
  const site = request.headers['sec-fetch-site']
  return (
    (origin === undefined || origin === publicOrigin) &&
    (site === undefined || site === 'same-origin')
  )
}

export function showMessage(
  views: StaffViews,
  reply: FastifyReply,
  status: number,
  incident: string,
  page: {
    readonly title: string
    readonly sentence: string
    readonly link?: { readonly href: string; readonly label: string }
    readonly member?: StaffMember
    readonly refresh?: string
  },
): FastifyReply {
  const { title, sentence, link, member, refresh } = page
  return reply
    .code(status)
    .type('text/html; charset=utf-8')
    .send(
      views.render('message', {
        title,
        incident,
        member,
        ...(refresh === undefined ? {} : { refresh }),
        data: { sentence, link: link ?? null },
      }),
    )
}
