import type { FastifyPluginAsync } from 'fastify'
import { z } from 'zod'
import type { SearchIndex } from '../audit/search-index/search-index.ts'
import { cursorText } from './filter.ts'
import { may } from './permissions.ts'
import { storyOf } from './story.ts'
import type { Guard, Visit, VisitDeps } from './visit.ts'

/** One launch, from the EHR's click to its end. */
export interface LaunchStoryRoutesDeps extends VisitDeps {
  readonly guard: Guard
  readonly index: SearchIndex
  readonly tenants: readonly { readonly id: string; readonly name: string }[]
}

const pageSize = 500
/** How it ended, and what the worst of it was, stands in the newest records, however long the story is. */
const endSize = 200

const form = z.object({
  hash: z.string().regex(/^[0-9a-f]{16}$/),
  after: z
    .string()
    .regex(/^[01]\.\d{1,16}\.\d{1,16}$/)
    .optional(),
})

export function launchStoryRoutes(deps: LaunchStoryRoutesDeps): FastifyPluginAsync {
  const { guard } = deps
  return async (server) => {
    server.get(
      '/launch/:hash',
      guard('read_launch', (visit) => launch(deps, visit)),
    )
  }
}

async function launch({ index, tenants }: LaunchStoryRoutesDeps, visit: Visit): Promise<unknown> {
  const { params, query } = visit.request
  const asked = form.safeParse({ ...Object(query), ...Object(params) })
  if (!asked.success) return visit.missing()
  const { hash, after } = asked.data
  await index.update()
  const [page, opening, ending] = await Promise.all([
    index.search({ launch: hash, order: 'oldest', limit: pageSize, after: cursor(after) }),
    index.search({ launch: hash, order: 'oldest', limit: 30 }),
    index.search({ launch: hash, order: 'newest', limit: endSize }),
  ])
  await visit.record({
    event: 'staff.viewed',
    outcome: 'success',
    parameters: [
      { name: 'page', value: 'launch' },
      { name: 'launch', value: hash },
    ],
  })
  const story = storyOf(
    { records: page.records, opening: opening.records, ending: ending.records.toReversed() },
    visit.zone,
  )
  if (ending.records.length === 0) {
    const sentence =
      'The records here do not name it. Compare the number, or search what is older than they are: smart-bff audit search --launch.'
    return visit.say(404, 'Nothing is known of this launch', sentence)
  }
  const tenant = tenants.find(({ id }) => id === story.facts.tenant)
  return visit.show('launch', `Launch ${hash.slice(0, 8)}`, {
    hash,
    story,
    tenant: tenant?.name ?? story.facts.tenant ?? 'not known',
    zone: visit.zone,
    mayEnd: story.lives && may(visit.member.roles, 'end_launches'),
    first: after === undefined ? null : `/launch/${hash}`,
    next: page.next === undefined ? null : `/launch/${hash}?after=${cursorText(page.next)}`,
  })
}

function cursor(after: string | undefined) {
  if (after === undefined) return undefined
  const [denied = 0, at = 0, id = 0] = after.split('.').map(Number)
  return { denied, at, id }
}
