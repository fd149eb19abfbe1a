import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { SmartBffError } from '../errors.ts'
import { dataPolicy } from '../web/headers.ts'
import { noDraft, type Drafts } from './drafts.ts'
import type { OpenOwnLaunch } from './own-launch.ts'

/** One draft holds at most this much JSON text. */
const maxDraftBytes = 262_144
/** JSON may come with spaces that are not kept. */
const maxBodyBytes = 2 * maxDraftBytes

type Launched = { Params: { launch: string } }

/**
 * `/launches/:launch/draft`, also while the launch waits for a new authorization: that is what it is for. For a scope
 * with `browserRequests` and the browser session.
 */
export function draftRoutes(deps: {
  readonly openOwnLaunch: OpenOwnLaunch
  readonly drafts: Drafts
}) {
  const { openOwnLaunch, drafts } = deps
  return async (scope: FastifyInstance): Promise<void> => {
    scope.get<Launched>('/launches/:launch/draft', async (request, reply) => {
      const { record } = await openOwnLaunch(request, request.params.launch)
      const draft = await drafts.read(record)
      if (draft === undefined) throw new SmartBffError('DRAFT_USER_UNKNOWN')
      answer(reply, draft.version)
      if (draft.text === undefined) return reply.code(204).send()
      return reply.type('application/json; charset=utf-8').send(draft.text)
    })

    scope.put<Launched>(
      '/launches/:launch/draft',
      { bodyLimit: maxBodyBytes },
      async (request, reply) => {
        const { record } = await openOwnLaunch(request, request.params.launch)
        if (record.user.subject === undefined && record.user.fhirUser === undefined) {
          throw new SmartBffError('DRAFT_USER_UNKNOWN')
        }
        const version = readIfMatch(request)
        const text = JSON.stringify(request.body)
        if (text === undefined) throw new SmartBffError('REQUEST_INVALID')
        if (Buffer.byteLength(text) > maxDraftBytes) throw new SmartBffError('DRAFT_TOO_LARGE')
        const written = await drafts.write(record, version, text)
        if (written === undefined) throw new SmartBffError('DRAFT_CONFLICT')
        return answer(reply, written).code(204).send()
      },
    )

    scope.delete<Launched>('/launches/:launch/draft', async (request, reply) => {
      const { record } = await openOwnLaunch(request, request.params.launch)
      if (!(await drafts.remove(record, readIfMatch(request)))) {
        throw new SmartBffError('DRAFT_CONFLICT')
      }
      return answer(reply, noDraft).code(204).send()
    })
  }
}

/** One quoted entity tag (RFC 9110 13.1.1); `*` and lists would write over what nobody has seen. */
function readIfMatch(request: FastifyRequest): string {
  const version = /^"([A-Za-z0-9_-]{1,64})"$/.exec(request.headers['if-match'] ?? '')?.[1]
  if (version === undefined) throw new SmartBffError('DRAFT_CONDITION_MISSING')
  return version
}

function answer(reply: FastifyReply, version: string): FastifyReply {
  return reply.header('etag', `"${version}"`).header('content-security-policy', dataPolicy)
}
