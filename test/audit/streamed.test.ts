import { cpSync, readFileSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { Redis } from 'ioredis'
import t from 'tap'
import type { Test } from 'tap'
import { createAudit } from '../../src/audit/audit.ts'
import type { AuditLog } from '../../src/audit/audit.ts'
import { createStreamCopy } from '../../src/audit/copies/stream.ts'
import { createStreamReader } from '../../src/audit/copies/stream-reader.ts'
import { createSearchIndex } from '../../src/audit/search-index/search-index.ts'
import { Secret } from '../../src/config/secret.ts'
import { createRedisStore } from '../../src/store/redis.ts'
import { auditLinesName, auditName } from '../../src/store/redis/names.ts'
import { createKeyRing } from '../../src/vault/key-ring.ts'
import { sealAuditStream } from '../../src/vault/sealed-stream.ts'
import { startRedis } from '../support/redis.ts'
import { auditConfig } from './support.ts'

const newest = { order: 'newest', limit: 100, event: 'fhir.access' } as const

async function until(condition: () => Promise<boolean> | boolean): Promise<void> {
  for (let tries = 0; tries < 500 && !(await condition()); tries += 1) {
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
}

/** Replicas with folders of their own, as pods with volumes of their own have, and one Redis. */
async function rig(t: Test) {
  const redis = await startRedis()
  const plain = createRedisStore({ config: { url: new Secret(redis.url) }, now: Date.now })
  const keyRing = createKeyRing([{ id: 'k1', secret: new Secret('A'.repeat(43)) }])
  const store = sealAuditStream(plain, keyRing)
  const raw = new Redis(redis.url)
  t.teardown(async () => {
    raw.disconnect()
    await store.close()
    await redis.stop()
  })
  const batch = (lines: readonly string[]) => ({
    text: lines.map((line) => `${line}\n`).join(''),
    lines: lines.length,
  })
  const add = (...lines: readonly string[]) => store.addAuditBatches([batch(lines)], 1000)
  /** As versions before batches do it. */
  const addEarlier = async (...lines: readonly string[]) => {
    for (const line of lines) {
      await raw.xadd(auditLinesName, '*', 'line', keyRing.seal('audit', 'audit', line))
    }
  }
  async function replica(instance: string, most = 1000) {
    const config = auditConfig({}, instance)
    const copy = createStreamCopy({
      store,
      most,
      now: Date.now,
      onFault: () => undefined,
      gatherMs: 10,
    })
    const audit = await createAudit({ config, onLines: (text) => copy.offer(text) })
    return { config, directory: config.audit.directory, audit, copy }
  }
  const faults: { kind: string; count: number }[] = []
  function indexOf(directory: string, instance: string) {
    const index = createSearchIndex({ directory, instance, pollMs: 20 })
    const reader = createStreamReader({
      store,
      index,
      now: Date.now,
      onFault: (fault) => faults.push(fault),
      everyMs: 20,
    })
    return { index, reader }
  }
  return { store, plain, keyRing, raw, add, addEarlier, replica, indexOf, faults }
}

const write = (audit: AuditLog, count: number): Promise<void> =>
  audit.record({ event: 'fhir.access', outcome: 'success', tenant: 'north', patient: 'p1', count })

t.test('what one replica wrote is found in the index of another, once', async (t) => {
  const { replica, indexOf, faults } = await rig(t)
  const [one, two] = [await replica('one'), await replica('two')]
  await write(one.audit, 1)
  await write(two.audit, 2)
  const { index, reader } = indexOf(one.directory, 'one')
  const counts = async () => (await index.search(newest)).records.map(({ count }) => count)
  await until(async () => (await counts()).length === 2)
  t.same(new Set(await counts()), new Set([1, 2]))
  await write(two.audit, 3)
  await until(async () => (await counts()).length === 3)
  const [opened] = (await index.search({ ...newest, event: 'audit.opened', order: 'oldest' }))
    .records
  t.ok((await index.update()).since, 'complete from the first record of each')
  t.equal(opened?.seq, 1)
  await reader.close()
  await index.close()

  // After a start the stream is read again from its beginning; nothing is there twice.
  const again = indexOf(one.directory, 'one')
  await until(async () => (await again.index.progress()).records >= 5)
  await new Promise((resolve) => setTimeout(resolve, 200))
  const found = (await again.index.search(newest)).records.map(({ count }) => count)
  t.equal(found.length, 3)
  t.same(new Set(found), new Set([1, 2, 3]))
  t.same(faults, [])
  await again.reader.close()
  await again.index.close()
  await Promise.all([one, two].map(({ audit }) => audit.close()))
})

t.test('entries that are spoiled are counted and never shown; a gap is told', async (t) => {
  const { store, plain, keyRing, raw, add, addEarlier, replica, indexOf, faults } = await rig(t)
  const [one, two] = [await replica('one'), await replica('two')]
  await write(two.audit, 1)
  const linesThere = async () =>
    (await store.readAuditBatches(undefined, 10)).flatMap(({ text }) => text.trim().split('\n'))
  await until(async () => (await linesThere()).length === 3)
  const [name = ''] = readdirSync(two.directory).filter((file) => file.endsWith('.jsonl'))
  const line = readFileSync(join(two.directory, name), 'utf8').split('\n')[1] ?? ''
  const spoiled = ['John Smith', line.replace('success', 'refused'), '{"seq":9,"patient":"Smith"}']
  await add(...spoiled, '')
  await addEarlier(...spoiled, '')
  const [sealed] = await plain.readAuditBatches(undefined, 1)
  const boxes = [
    line,
    `${line}\n`,
    sealed?.text.slice(0, -3) ?? '',
    // Of the other stream, of another purpose, longer than any box of ours.
    keyRing.seal('audit', 'audit', line),
    keyRing.seal('spool', 'audit:batches', line),
    `v1.k1.${'A'.repeat(4_000_000)}`,
  ]
  await plain.addAuditBatches(
    boxes.map((text) => ({ text, lines: 1 })),
    1000,
  )
  await raw.xadd(auditName, '*', 'line', sealed?.text ?? '')
  await raw.xadd(auditName, '*', 'upTo', 'nan', 'lines', 'inf')
  for (const text of boxes.slice(0, 3)) await raw.xadd(auditLinesName, '*', 'line', text)
  const { index, reader } = indexOf(one.directory, 'one')
  await until(() => reader.status().corrupt === 19)
  t.equal(reader.status().corrupt, 19)
  t.match(faults, [
    { kind: 'corrupt', count: 7 },
    { kind: 'corrupt', count: 12 },
  ])
  const found = await index.search({ order: 'newest', limit: 100 })
  t.notMatch(JSON.stringify(found), 'Smith')
  t.equal(found.records.filter(({ event }) => event === 'fhir.access').length, 1)

  // The stream loses two; the index says since when it is complete.
  const heard: string[] = []
  const stop = two.audit.onLines((text) => heard.push(text))
  two.copy.offer = () => undefined
  await write(two.audit, 2)
  await write(two.audit, 3)
  await write(two.audit, 4)
  stop()
  const last = heard.join('').trim().split('\n').at(-1) ?? ''
  await add(last)
  await until(() => reader.status().missing === 2)
  t.equal(reader.status().missing, 2)
  const { since } = await index.update()
  t.equal(since, JSON.parse(last).time)
  await reader.close()
  await index.close()
  await Promise.all([one, two].map(({ audit }) => audit.close()))
})

t.test('an instance goes over to batches, is taken back, and goes over again', async (t) => {
  const { raw, add, addEarlier, replica, indexOf, faults } = await rig(t)
  const one = await replica('one')
  const two = await replica('two')
  // What it writes is put into the streams by hand here.
  const heard: string[] = []
  two.copy.offer = () => undefined
  two.audit.onLines((text) => heard.push(text))
  for (let count = 1; count <= 40; count += 1) await write(two.audit, count)
  const lines = heard.join('').trim().split('\n')
  const { index, reader } = indexOf(one.directory, 'one')
  const found = async () => (await index.search(newest)).records.filter(({ count }) => count !== 0)
  for (const [version, part] of [
    [addEarlier, lines.slice(0, 10)],
    [add, lines.slice(10, 20)],
    [addEarlier, lines.slice(20, 30)],
    [add, lines.slice(30)],
  ] as const) {
    const before = (await found()).length
    await version(...part)
    await until(async () => (await found()).length === before + part.length)
    t.equal((await found()).length, before + part.length)
  }
  t.same(faults, [])
  await reader.close()
  await index.close()
  // The earlier form is let go, some time after the last reader of ours began.
  t.ok((await raw.ttl(auditLinesName)) > 6 * 86_400)
  t.equal(await raw.ttl(auditName), -1)
  await Promise.all([one, two].map(({ audit }) => audit.close()))
})

t.test('where the files of an instance are here, they are the source', async (t) => {
  const { replica, indexOf } = await rig(t)
  const [one, two] = [await replica('one'), await replica('two')]
  await write(two.audit, 1)
  const first = indexOf(one.directory, 'one')
  await until(async () => (await first.index.search(newest)).records.length === 1)
  await first.reader.close()
  await first.index.close()
  await two.audit.close()
  for (const name of readdirSync(two.directory)) {
    if (name.endsWith('.jsonl')) cpSync(join(two.directory, name), join(one.directory, name))
  }
  const second = indexOf(one.directory, 'one')
  await second.index.update()
  await until(async () => (await second.index.search(newest)).records.length === 1)
  t.equal((await second.index.search(newest)).records.length, 1, 'not twice')
  await second.reader.close()
  await second.index.close()
  await one.audit.close()
})
