import type { LaunchContext } from '../authorization/launches.ts'
import type { Answer, Request } from '../http.ts'
import { json } from '../http.ts'
import type { SyntheticPatient } from '../patients/generate.ts'
import type { Control, Settings } from './control.ts'
import type { Fault } from './faults.ts'

interface ControlDeps {
  readonly origin: string
  readonly control: Control
  readonly patients: readonly SyntheticPatient[]
}

const loopback = new Set(['127.0.0.1', '::1', '::ffff:127.0.0.1'])

/**
 * `/_control`: the sandbox's controls as a JSON API, for tests in another process. Only this machine may use it, and
 * no foreign web page, because it would otherwise be a way for any page in the browser to change the EHR.
 */
export function controlRoutes(deps: ControlDeps, request: Request): Answer {
  const { origin, host } = request.headers
  const { port } = new URL(deps.origin)
  const here = host === new URL(deps.origin).host || host === `localhost:${port}`
  const foreign = origin !== undefined && origin !== deps.origin
  if (!loopback.has(request.remoteAddress) || !here || foreign) {
    return json(403, { error: 'The controls answer to this machine only.' })
  }
  try {
    return routed(deps, request)
  } catch (error) {
    return json(400, { error: error instanceof Error ? error.message : 'bad request' })
  }
}

function routed({ control, patients }: ControlDeps, request: Request): Answer {
  const body = (): unknown => JSON.parse(request.body.toString('utf8') || '{}')
  switch (`${request.method} ${request.url.pathname.slice('/_control'.length)}`) {
    case 'GET ':
      return json(200, { settings: control.settings(), faults: control.faults() })
    case 'GET /patients':
      return json(200, patients)
    case 'GET /requests':
      return json(200, control.requests())
    case 'DELETE /requests':
      control.clearRequests()
      return json(200, {})
    case 'PUT /settings':
      return json(200, control.set(body() as Partial<Settings>))
    case 'GET /faults':
      return json(200, control.faults())
    case 'PUT /faults':
      control.setFaults(body() as readonly Fault[])
      return json(200, control.faults())
    case 'POST /launches':
      return json(201, control.createLaunch(body() as LaunchContext))
    case 'POST /revoke': {
      const { which = 'all' } = body() as { which?: 'all' | 'access' | 'refresh' }
      return json(200, { revoked: control.revoke(which) })
    }
    case 'POST /reset':
      control.reset()
      return json(200, {})
    default:
      return json(404, { error: 'No such control.' })
  }
}
