import fastify from 'fastify'
import t from 'tap'
import { createAudit } from '../../src/audit/audit.ts'
import type { AuditEvent } from '../../src/audit/event.ts'
import { createPseudonyms } from '../../src/audit/pseudonyms.ts'
import { createSearchIndex } from '../../src/audit/search-index/search-index.ts'
import { findRoutes } from '../../src/staff/find-routes.ts'
import { createSavedSearches } from '../../src/staff/saved.ts'
import { createStaffSessions, newStaffSession } from '../../src/staff/staff-session.ts'
import { createStaffViews } from '../../src/staff/views.ts'
import { createGuard } from '../../src/staff/visit.ts'
import { createEmbeddedStore } from '../../src/store/embedded.ts'
import { createKeyRing } from '../../src/vault/key-ring.ts'
import { testConfig } from '../support/config.ts'

t.test('a launch is one row over all pages: how it ended, or that it only began', async (t) => {
  const config = testConfig()
  const began = Date.now() - 3_600_000
  let recordedAt = began
  const audit = await createAudit({ config, now: () => (recordedAt += 10) })
  const index = createSearchIndex({ directory: config.audit.directory, instance: config.instance })
  const now = Date.now
  const store = createEmbeddedStore({ now })
  const keyRing = createKeyRing(config.keys.encryption)
  const pseudonyms = createPseudonyms(config.keys.pseudonym)
  const sessions = createStaffSessions({ keyRing, store, now })
  const visits = { sessions, audit, views: createStaffViews(), publicOrigin: 'http://here', now }
  const saved = createSavedSearches({ store, keyRing, pseudonyms })
  const server = fastify()
  const { tenants } = config
  await server.register(
    findRoutes({ ...visits, guard: createGuard(visits), index, pseudonyms, tenants, saved }),
  )
  t.teardown(async () => {
    await server.close()
    await index.close()
    await audit.close()
  })
  const record = async (event: AuditEvent['event'], launches: readonly number[]) => {
    for (const launch of launches) {
      const denied = event === 'launch.failed'
      // oxlint-disable-next-line no-await-in-loop -- in this order
      await audit.record({
        event,
        outcome: denied ? 'refused' : 'success',
        tenant: 'north',
        launch: `launch-${String(launch)}`,
      })
    }
  }
  const all = Array.from({ length: 150 }, (_, launch) => launch)
  await record('launch.received', all)
  await record(
    'launch.authorized',
    all.filter((launch) => launch % 10 > 1),
  )
  await record(
    'launch.failed',
    all.filter((launch) => launch % 10 === 0),
  )
  const id = newStaffSession()
  const member = {
    id,
    name: 'otto',
    roles: ['operator'],
    signedInAt: now(),
    seenAt: now(),
  } as const
  const cookie = sessions.write(member).split(';')[0] ?? ''

  for (const denied of ['&denied=1', '']) {
    const rows: string[] = []
    let next: string | undefined = `/?ask=open&last=1${denied}`
    while (next !== undefined) {
      // oxlint-disable-next-line no-await-in-loop -- each page names the next
      const { body }: { readonly body: string } = await server.inject({
        url: next,
        headers: { cookie },
      })
      rows.push(...(body.match(/<tr role="row" class=[^]*?<\/tr>/g) ?? []))
      next = /class="button" href="([^"]+)">Next/.exec(body)?.[1]?.replaceAll('&amp;', '&')
    }
    const said = (sentence: string) => rows.filter((row) => row.includes(sentence)).length
    t.equal(rows.length, 150, `one each ${denied}`)
    t.equal(new Set(rows.map((row) => /launch\/(\w+)/.exec(row)?.[1])).size, 150)
    t.equal(said('The EHR asked to open the app.'), 15, 'those of which nothing more is known')
    t.equal(said('the app opened'), 120)
    t.equal(said('did not open the app'), 15)
  }
})
