import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import fastify from 'fastify'
import t from 'tap'
import { createAudit } from '../../src/audit/audit.ts'
import { createSearchIndex } from '../../src/audit/search-index/search-index.ts'
import { exportRoutes } from '../../src/staff/export-routes.ts'
import { createStaffSessions, newStaffSession } from '../../src/staff/staff-session.ts'
import { createStaffViews } from '../../src/staff/views.ts'
import { createGuard } from '../../src/staff/visit.ts'
import { createEmbeddedStore } from '../../src/store/embedded.ts'
import { createKeyRing } from '../../src/vault/key-ring.ts'
import { testConfig } from '../support/config.ts'

t.test('an export is whole, or is refused; it holds nothing that came later', async (t) => {
  const config = testConfig()
  const audit = await createAudit({ config })
  const index = createSearchIndex({ directory: config.audit.directory, instance: config.instance })
  const now = Date.now
  const store = createEmbeddedStore({ now })
  const sessions = createStaffSessions({
    keyRing: createKeyRing(config.keys.encryption),
    store,
    now,
  })
  const visits = { sessions, audit, views: createStaffViews(), publicOrigin: 'http://here', now }
  const server = fastify()
  const guard = createGuard(visits)
  await server.register(exportRoutes({ ...visits, guard, index, exportMost: 2500 }))
  t.teardown(async () => {
    await server.close()
    await index.close()
    await audit.close()
  })
  const member = {
    id: newStaffSession(),
    name: 'anna.auditor',
    roles: ['auditor'],
    signedInAt: now(),
  } as const
  const cookie = sessions.write({ ...member, seenAt: now() }).split(';')[0] ?? ''
  const ask = (query: string) => server.inject({ url: `/export?${query}`, headers: { cookie } })
  const add = async (count: number) => {
    const event = { event: 'fhir.access', outcome: 'success', tenant: 'north' } as const
    await Promise.all(Array.from({ length: count }, () => audit.record(event)))
    // A millisecond of its own, so that what was recorded before the question is before it.
    await new Promise((resolve) => setTimeout(resolve, 5))
  }

  await add(2300)
  const whole = await ask('format=ndjson&event=fhir.access')
  const seqs = whole.body
    .trim()
    .split('\n')
    .map((line) => Number(JSON.parse(line).seq))
  t.equal(new Set(seqs).size, 2300)
  t.match(whole.headers['content-disposition'], /attachment; filename="smart-bff-audit-.*\.ndjson"/)
  const everything = await ask('format=csv')
  t.equal(everything.body.match(/,staff\.exported,/g)?.length, 1, 'the export before, not this one')

  await add(300)
  const refused = await ask('format=csv&event=fhir.access')
  t.equal(refused.statusCode, 400)
  t.match(refused.body, 'more than 2,500 records')
  t.equal((await ask('format=xml')).statusCode, 404)
  const typed = await ask('format=csv&ask=all&user=Miller.Ann')
  t.equal(typed.statusCode, 404, 'a name that the log does not know may be a patient\u2019s')
  await audit.close()
  const { file } = audit.status()
  const log = await readFile(join(config.audit.directory, file), 'utf8')
  t.notMatch(log, 'Miller')
})
