import type { FastifyPluginAsync } from 'fastify'
import { z } from 'zod'
import { address, readFilter } from './filter.ts'
import type { SavedSearches } from './saved.ts'
import type { Guard, Visit, VisitDeps } from './visit.ts'

/** A member keeps a search under a name, and takes it out again. */
export interface SavedRoutesDeps extends VisitDeps {
  readonly guard: Guard
  readonly saved: SavedSearches
}

const keepForm = z.object({
  title: z.string().trim().min(1).max(80),
  address: z.string().max(8000).startsWith('/?'),
})
const removeForm = z.object({ id: z.string().regex(/^[0-9a-f]{12}$/) })

export function savedRoutes(deps: SavedRoutesDeps): FastifyPluginAsync {
  const { guard } = deps
  return async (server) => {
    server.post(
      '/saved',
      guard('find', (visit) => keep(deps, visit)),
    )
    server.post(
      '/saved/remove',
      guard('find', (visit) => remove(deps, visit)),
    )
  }
}

async function keep({ saved, now }: SavedRoutesDeps, visit: Visit) {
  const form = keepForm.safeParse(visit.request.body)
  const query = form.success
    ? Object.fromEntries(new URLSearchParams(form.data.address.slice(2)))
    : {}
  const read = readFilter(query, visit.zone, now())
  if (!form.success || !read.ok) {
    return visit.say(400, 'Not kept', 'Give the search a name of at most 80 characters.')
  }
  const to = address('/', read.filter)
  await tell(visit, 'saved')
  const kept = await saved.add(visit.member.name, form.data.title, to)
  if (kept) return visit.reply.redirect(to, 303)
  return visit.say(409, 'Not kept', 'There are 30 searches already: remove one first.', to)
}

async function remove({ saved }: SavedRoutesDeps, visit: Visit) {
  const form = removeForm.safeParse(visit.request.body)
  if (!form.success) return visit.missing()
  await tell(visit, 'removed')
  await saved.remove(visit.member.name, form.data.id)
  return visit.reply.redirect('/', 303)
}

const tell = (visit: Visit, action: 'saved' | 'removed'): Promise<void> =>
  visit.record({
    event: 'staff.viewed',
    outcome: 'success',
    parameters: [
      { name: 'page', value: 'saved' },
      { name: 'action', value: action },
    ],
  })
