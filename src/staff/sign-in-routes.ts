import type { FastifyPluginAsync, FastifyReply, FastifyRequest } from 'fastify'
import { z } from 'zod'
import { loginName } from '../audit/person.ts'
import { newIncident } from '../web/incident.ts'
import type { IdentityProvider } from './identity-provider.ts'
import { findLocalStaff } from './local-staff.ts'
import type { LocalStaff } from './local-staff.ts'
import { rolesOf } from './permissions.ts'
import { createSignInAnswers } from './sign-in-answers.ts'
import { clearStaffCookie } from './staff-session.ts'
import { isZone } from './time-zone.ts'
import { isOwnForm, staffUser } from './visit.ts'
import type { VisitDeps } from './visit.ts'

/** The staff come in: by OpenID Connect, and in development also by a password of the configuration. */
export interface SignInDeps extends VisitDeps {
  readonly provider: IdentityProvider | undefined
  readonly roles:
    | {
        readonly claim: string
        readonly auditor: readonly string[]
        readonly operator: readonly string[]
      }
    | undefined
  readonly local: readonly LocalStaff[]
  readonly onFault: (error: unknown, incident: string) => void
}

const passwordForm = z.object({ name: z.string().max(100), password: z.string().max(1000) })

export function signInRoutes(deps: SignInDeps): FastifyPluginAsync {
  const { provider, sessions, local, now } = deps
  const { refuse, welcome, wrongPassword, showSignIn } = createSignInAnswers(deps)

  return async (server) => {
    server.get('/sign-in', async (_request, reply) => showSignIn(reply, newIncident()))

    server.get('/sign-in/begin', async (request, reply) => {
      const incident = newIncident()
      if (provider === undefined) return reply.callNotFound()
      try {
        const { location, pending } = await provider.begin(now())
        return await reply
          .header('set-cookie', sessions.writeSignIn(pending))
          .redirect(location, 303)
      } catch (error) {
        deps.onFault(error, incident)
        return refuse(request, reply, incident, 'sign_in_invalid')
      }
    })

    server.get('/sign-in/callback', async (request, reply) => {
      const incident = newIncident()
      const pending = sessions.readSignIn(request.headers.cookie)
      if (provider === undefined || pending === undefined) {
        return refuse(request, reply, incident, 'sign_in_invalid')
      }
      let claims: Readonly<Record<string, unknown>>
      try {
        claims = await provider.finish(new URL(request.url, deps.publicOrigin), pending)
      } catch (error) {
        deps.onFault(error, incident)
        return refuse(request, reply, incident, 'sign_in_invalid')
      }
      const name = nameOf(claims)
      if (name === undefined) return refuse(request, reply, incident, 'sign_in_invalid')
      const roles = deps.roles === undefined ? [] : rolesOf(claims[deps.roles.claim], deps.roles)
      if (roles.length === 0) return refuse(request, reply, incident, 'no_role', name)
      return welcome(request, reply, incident, { name, roles, zone: zoneOf(claims) })
    })

    server.post('/sign-in', async (request, reply) => {
      const incident = newIncident()
      const form = passwordForm.safeParse(request.body)
      if (local.length === 0) return reply.callNotFound()
      if (!form.success || !isOwnForm(request, deps.publicOrigin)) {
        return refuse(request, reply, incident, 'sign_in_invalid')
      }
      const member = await findLocalStaff(local, form.data.name, form.data.password)
      if (member !== undefined) {
        const { name, role } = member
        return welcome(request, reply, incident, { name, roles: [role], zone: undefined })
      }
      return wrongPassword(request, reply, incident)
    })

    server.post('/sign-out', (request, reply) => signOut(deps, request, reply))
  }
}

async function signOut(
  { sessions, audit, onFault, publicOrigin }: SignInDeps,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<FastifyReply> {
  const incident = newIncident()
  const session = await sessions.read(request.headers.cookie)
  if (session.kind === 'member' && isOwnForm(request, publicOrigin)) {
    const user = staffUser(session.member.name)
    try {
      await sessions.end(session.member)
    } catch (error) {
      // The browser forgets the cookie all the same.
      onFault(error, incident)
    }
    await audit.record({
      event: 'staff.signed_out',
      outcome: 'success',
      request: incident,
      client: request.ip,
      actor: 'staff',
      user,
    })
    reply.header('set-cookie', clearStaffCookie)
  }
  return reply.redirect('/sign-in', 303)
}

/** OpenID Connect Core 5.1: where the member is, so that times need not be asked for. */
function zoneOf({ zoneinfo }: Readonly<Record<string, unknown>>): string | undefined {
  return typeof zoneinfo === 'string' && isZone(zoneinfo) ? zoneinfo : undefined
}

/** The name that stands in the audit must be of the form of one. */
function nameOf(claims: Readonly<Record<string, unknown>>): string | undefined {
  const candidates = [claims['preferred_username'], claims['email'], claims['sub']]
  return candidates.find((name): name is string => typeof name === 'string' && loginName.test(name))
}
