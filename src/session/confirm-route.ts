import type { FastifyInstance } from 'fastify'
import { z } from 'zod'
import { SmartBffError } from '../errors.ts'
import type { OpenOwnLaunch, OwnLaunch } from './own-launch.ts'

/** What the app displays of the patient. */
const shownSchema = z.strictObject({
  name: z.string().min(1).max(300),
  birthDate: z.string().regex(/^(?:\d{4}(?:-\d{2}(?:-\d{2})?)?)?$/),
})

export type ShownPatient = z.output<typeof shownSchema>

type Launched = { Params: { launch: string } }

/**
 * `POST /launches/:launch/confirm`: the user has looked at the patient's name and birth date and wants to write. 204 when
 * they are those of the Patient read just now. For a scope with `browserRequests` and the browser session.
 */
export function confirmRoute(deps: {
  readonly openOwnLaunch: OpenOwnLaunch
  /** Throws SmartBffError where they are not. */
  readonly confirm: (
    own: OwnLaunch,
    shown: ShownPatient,
    request: { readonly incident: string; readonly ip: string },
  ) => Promise<void>
}) {
  return async (scope: FastifyInstance): Promise<void> => {
    scope.post<Launched>(
      '/launches/:launch/confirm',
      { bodyLimit: 4096 },
      async (request, reply) => {
        const own = await deps.openOwnLaunch(request, request.params.launch)
        const shown = shownSchema.safeParse(request.body)
        if (!shown.success) throw new SmartBffError('REQUEST_INVALID')
        await deps.confirm(own, shown.data, { incident: request.incident, ip: request.ip })
        return reply.code(204).send()
      },
    )
  }
}
