import { spawnSync } from 'node:child_process'
import { readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { createAudit } from '../../src/audit/audit.ts'
import type { AuditFault } from '../../src/audit/audit.ts'
import { collectKeptNotes, createSecondPlaces } from '../../src/audit/copies/second-places.ts'
import type { LoggedCheckpoint } from '../../src/audit/copies/second-places.ts'
import { verifyAudit } from '../../src/audit/verify.ts'
import { runAuditVerify } from '../../src/cli/audit-verify.ts'
import { Secret } from '../../src/config/secret.ts'
import { createRedisStore } from '../../src/store/redis.ts'
import { startRedis } from '../support/redis.ts'
import { auditConfig, publicKey } from './support.ts'

/** Each second place shows a log that was cut together with the checkpoints beside it. */
t.test('a file, the store and the log each hold what proves a cut', async (t) => {
  const redis = await startRedis()
  const store = createRedisStore({ config: { url: new Secret(redis.url) }, now: Date.now })
  t.teardown(async () => {
    await store.close()
    await redis.stop()
  })
  const elsewhere = join(auditConfig().audit.directory, 'deep', 'kept')
  const checkpoints = { path: elsewhere, store: true, log: true }
  const config = auditConfig({ checkpoints })
  const { directory } = config.audit
  const logged: LoggedCheckpoint[] = []
  const places = createSecondPlaces({
    checkpoints,
    instance: config.instance,
    store,
    log: (line) => logged.push(line),
  })
  const audit = await createAudit({ config, onCheckpoint: places.publish })
  for (let count = 0; count < 5; count += 1) {
    await audit.record({ event: 'fhir.access', outcome: 'success', count })
  }
  await audit.close()

  const whole = await collectKeptNotes(checkpoints, store)
  t.strictSame(whole.unread, [])
  const verified = async (keptNotes?: string) =>
    (await verifyAudit({ directory, publicKey, keptNotes })).logs[0]
  t.match(await verified(whole.notes), { sealed: 7, records: 7 })
  t.strictSame((await verified(whole.notes))?.faults, [])

  const [name = ''] = readdirSync(directory).filter((file) => file.endsWith('.jsonl'))
  const lines = readFileSync(join(directory, name), 'utf8').split('\n')
  writeFileSync(join(directory, name), `${lines.slice(0, 4).join('\n')}\n`)
  for (const file of readdirSync(directory)) {
    if (file.endsWith('.checkpoints')) rmSync(join(directory, file))
  }
  t.strictSame((await verified())?.faults, [], 'what stands beside the log does not show it')
  const none = { path: undefined, store: false, log: false }
  for (const place of [
    { ...none, path: elsewhere },
    { ...none, store: true },
  ]) {
    const { notes } = await collectKeptNotes(place, store)
    t.match((await verified(notes))?.faults, [{ kind: 'truncated', seq: 5 }])
  }
  const log = logged.map((line) => JSON.stringify({ event: 'audit.checkpoint', ...line }))
  const collected = ['{"event":"process.started"}', 'no JSON', ...log].join('\n')
  let said = ''
  const output = { write: (text: string) => (said += text) }
  const key = publicKey.export({ type: 'spki', format: 'pem' })
  t.equal(await runAuditVerify({ directory, key, keptNotes: collected }, output), 1)
  t.match(said, /BROKEN at record 5 .*: a checkpoint counts this record, and it is missing/)
})

t.test('one place that fails keeps none of the others from theirs', async (t) => {
  const config = auditConfig()
  const { directory } = config.audit
  writeFileSync(join(directory, 'taken'), '')
  const kept: string[] = []
  const faults: AuditFault[] = []
  const places = createSecondPlaces({
    checkpoints: { path: join(directory, 'taken', 'notes'), store: true, log: false },
    instance: 'one',
    store: {
      keepCheckpoint: async (_instance, note) => {
        kept.push(note)
        return true
      },
    },
    log: () => t.fail('not wanted'),
  })
  const audit = await createAudit({
    config,
    onCheckpoint: places.publish,
    onFault: (fault) => faults.push(fault),
  })
  await audit.close()
  t.equal(kept.length, 1)
  t.match(faults, [{ kind: 'checkpoint_failed', code: 'ENOTDIR' }])
})

t.test('a pipe that nobody reads is told as a place that fails, and holds nobody', async (t) => {
  const pipe = join(auditConfig().audit.directory, 'pipe')
  t.equal(spawnSync('mkfifo', [pipe]).status, 0)
  const places = createSecondPlaces({
    checkpoints: { path: pipe, store: false, log: false },
    instance: 'one',
    store: { keepCheckpoint: async () => true },
    log: () => t.fail('not wanted'),
  })
  const checkpoint = { origin: 'o', head: { seq: 1, hash: 'h' } }
  await t.rejects(places.publish(checkpoint, 'note'), { code: 'ENXIO' })
})

t.test('a place that cannot be read is named', async (t) => {
  const store = { listCheckpoints: async () => Promise.reject(new Error('down')) }
  const { notes, unread } = await collectKeptNotes(
    { path: auditConfig().audit.directory, store: true, log: true },
    store,
  )
  t.equal(notes, '')
  t.equal(unread.length, 2)
})
