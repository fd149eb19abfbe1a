import type { FastifyReply, FastifyRequest } from 'fastify'
import type { AuditEvent } from '../audit/event.ts'
import type { SignInDeps } from './sign-in-routes.ts'
import { clearSignInCookie, newStaffSession } from './staff-session.ts'
import type { StaffMember } from './staff-session.ts'
import { showMessage, staffUser } from './visit.ts'

/** How a sign-in ends, each recorded before it is told. */
export function createSignInAnswers(deps: SignInDeps) {
  const { provider, sessions, views, audit, local, now } = deps

  async function refuse(
    request: FastifyRequest,
    reply: FastifyReply,
    incident: string,
    why: AuditEvent['reason'],
    name?: string,
  ): Promise<FastifyReply> {
    await refused(deps, request, incident, why, name)
    const sentence =
      why === 'no_role'
        ? 'Your account has no role on this site. IT has to add it to a group that may read it.'
        : 'The sign-in did not succeed.'
    return showMessage(views, reply.header('set-cookie', clearSignInCookie), 403, incident, {
      title: 'Not signed in',
      sentence,
      link: { href: '/sign-in', label: 'Try again' },
    })
  }

  /** Answers 200 with a page that goes on: a Strict cookie does not travel on a redirect that began elsewhere. */
  async function welcome(
    request: FastifyRequest,
    reply: FastifyReply,
    incident: string,
    { name, roles, zone }: Pick<StaffMember, 'name' | 'roles' | 'zone'>,
  ): Promise<FastifyReply> {
    const user = staffUser(name)
    await audit.record({
      event: 'staff.signed_in',
      outcome: 'success',
      request: incident,
      client: request.ip,
      actor: 'staff',
      user,
    })
    reply.header('set-cookie', [
      sessions.write({
        id: newStaffSession(),
        name,
        roles,
        zone,
        signedInAt: now(),
        seenAt: now(),
      }),
      clearSignInCookie,
    ])
    return showMessage(views, reply, 200, incident, {
      title: 'Signed in',
      sentence: `You are signed in as ${name}.`,
      link: { href: '/', label: 'Go on' },
      refresh: '/',
    })
  }

  /** The same page again: what is wrong is said where it can be mended. */
  async function wrongPassword(
    request: FastifyRequest,
    reply: FastifyReply,
    incident: string,
  ): Promise<FastifyReply> {
    await refused(deps, request, incident, 'sign_in_invalid')
    return showSignIn(reply.code(403), incident, true)
  }

  const showSignIn = (reply: FastifyReply, incident: string, failed = false): FastifyReply => {
    const data = { oidc: provider !== undefined, local: local.length > 0, failed }
    const page = { title: 'Sign in', incident, data }
    return reply.type('text/html; charset=utf-8').send(views.render('sign-in', page))
  }

  return { refuse, welcome, wrongPassword, showSignIn }
}

const refused = (
  { audit }: SignInDeps,
  { ip }: FastifyRequest,
  request: string,
  reason: AuditEvent['reason'],
  name?: string,
): Promise<void> =>
  audit.record({
    event: 'staff.refused',
    outcome: 'refused',
    reason,
    request,
    client: ip,
    actor: 'stranger',
    ...(name === undefined ? {} : { user: staffUser(name) }),
  })
