import t from 'tap'
import { createEmbeddedStore } from '../../src/store/embedded.ts'
import type { LaunchKey, Store } from '../../src/store/store.ts'
import { createKeyRing } from '../../src/vault/key-ring.ts'
import type { LaunchRecord } from '../../src/vault/record.ts'
import type { OpenLaunch, Vault } from '../../src/vault/vault.ts'
import { boxName, createVault } from '../../src/vault/vault-store.ts'
import { exampleRecord, newId, newKey } from './example.ts'

const start = Date.UTC(2026, 0, 1)
const minuteMs = 60_000

function setUp() {
  const clock = { time: start }
  const now = (): number => clock.time
  const store = createEmbeddedStore({ now })
  const keyRing = createKeyRing([newKey('k1')])
  const garbage: string[] = []
  const vault = createVault({
    store,
    keyRing,
    now,
    session: { idleMs: 15 * minuteMs, absoluteMs: 600 * minuteMs },
    onGarbage: ({ fault }) => garbage.push(fault),
  })
  return { clock, store, keyRing, garbage, vault }
}

async function launched(
  { store, vault }: Pick<ReturnType<typeof setUp>, 'store' | 'vault'>,
  changes: Partial<LaunchRecord> = {},
): Promise<{ key: LaunchKey; record: LaunchRecord }> {
  const key = { session: newId(), launch: newId() }
  const record = exampleRecord(key.launch, start, changes)
  await store.createSession(key.session, 'blob', start + 600 * minuteMs)
  t.equal(await vault.create(key, record), true)
  return { key, record }
}

t.test('a record comes back as it went in, and the store sees none of it', async (t) => {
  const parts = setUp()
  const { key, record } = await launched(parts)
  const opening = await parts.vault.open(key)
  t.strictSame(opening, {
    kind: 'open',
    launch: { record, version: 1, idleAt: start + 15 * minuteMs },
  })
  const stored = JSON.stringify(await parts.store.readLaunch(key))
  for (const secret of ['access-0', 'refresh-0', 'Practitioner', 'north']) {
    t.notOk(stored.includes(secret))
  }
})

t.test('a launch needs its session and begins active', async (t) => {
  const { vault } = setUp()
  const key = { session: newId(), launch: newId() }
  t.equal(await vault.create(key, exampleRecord(key.launch, start)), false)
  const wrong = exampleRecord(key.launch, start, { state: 'reauth_required' })
  await t.rejects(vault.create(key, wrong), { code: 'INTERNAL' })
})

t.test('a foreign session does not find the launch', async (t) => {
  const parts = setUp()
  const { key } = await launched(parts)
  t.strictSame(await parts.vault.open({ ...key, session: newId() }), { kind: 'missing' })
  t.strictSame(await parts.vault.open({ ...key, launch: newId() }), { kind: 'missing' })
})

t.test('the clocks: idle, absolute, and an absolute timeout that was lowered since', async (t) => {
  const parts = setUp()
  const { key } = await launched(parts)
  parts.clock.time = start + 15 * minuteMs - 1
  t.match(await parts.vault.open(key), { kind: 'open' })
  parts.clock.time += 1
  t.strictSame(await parts.vault.open(key), { kind: 'ended', state: 'expired' })

  const short = setUp()
  const { key: shortKey } = await launched(short, { absoluteAt: start + minuteMs })
  short.clock.time = start + minuteMs
  t.strictSame(await short.vault.open(shortKey), { kind: 'ended', state: 'expired' })
  const old = setUp()
  const { key: oldKey } = await launched(old, { startedAt: start - 600 * minuteMs })
  t.strictSame(await old.vault.open(oldKey), { kind: 'ended', state: 'expired' })
})

t.test('an idle deadline written into the store by a stranger lengthens no life', async (t) => {
  const parts = setUp()
  const far = {
    ...parts.store,
    readLaunch: async (key: LaunchKey) => {
      const stored = await parts.store.readLaunch(key)
      return stored && { ...stored, idleAt: start * 2 }
    },
  } satisfies Store
  const vault = createVault({
    store: far,
    keyRing: parts.keyRing,
    now: () => parts.clock.time,
    session: { idleMs: 15 * minuteMs, absoluteMs: 600 * minuteMs },
  })
  const { key } = await launched({ store: parts.store, vault })
  t.match(await vault.open(key), { launch: { idleAt: start + 15 * minuteMs } })
  parts.clock.time = start + 600 * minuteMs
  t.strictSame(await vault.open(key), { kind: 'ended', state: 'expired' })
})

t.test('replace is conditional, keeps the absolute timeout and obeys the table', async (t) => {
  const parts = setUp()
  const { key, record } = await launched(parts)
  const opening = await parts.vault.open(key)
  if (opening.kind !== 'open') throw new Error('not open')
  const opened = opening.launch
  const longer = { ...record, absoluteAt: record.absoluteAt + 1, mode: 'other' }
  const replaced = await parts.vault.replace(key, opened, longer)
  t.match(replaced, { version: 2, record: { absoluteAt: record.absoluteAt, mode: 'other' } })
  t.equal(await parts.vault.replace(key, opened, record), undefined, 'an older version')
  t.match(await parts.vault.open(key), { launch: { version: 2, record: { mode: 'other' } } })
  await t.rejects(parts.vault.replace(key, opened, { ...record, state: 'ended' }), {
    code: 'INTERNAL',
  })
})

t.test('end answers the record once, and nothing is written back', async (t) => {
  const parts = setUp()
  const { key, record } = await launched(parts)
  const opening = await parts.vault.open(key)
  if (opening.kind !== 'open') throw new Error('not open')
  t.strictSame(await parts.vault.end(key, 'revoked'), { ...record, state: 'revoked' })
  t.equal(await parts.vault.end(key, 'ended'), undefined)
  t.strictSame(await parts.vault.open(key), { kind: 'ended', state: 'revoked' })
  t.equal(await parts.vault.replace(key, opening.launch, record), undefined)
  t.strictSame(await parts.vault.open(key), { kind: 'ended', state: 'revoked' })
})

t.test('the end of a session ends all of it', async (t) => {
  const parts = setUp()
  const { key, record } = await launched(parts)
  const second = { session: key.session, launch: newId() }
  await parts.vault.create(second, exampleRecord(second.launch, start))
  t.equal((await parts.vault.list(key.session)).length, 2)
  const ended = await parts.vault.endSession(key.session, 'ended')
  t.strictSame(
    new Set(ended.map(({ launch, state }) => `${launch} ${state}`)),
    new Set([`${record.launch} ended`, `${second.launch} ended`]),
  )
  t.strictSame(await parts.vault.list(key.session), [])
  t.equal(await parts.vault.create(second, exampleRecord(second.launch, start)), false)
})

t.test('whatever else stands in the store reads as missing and is reported by name', async (t) => {
  const parts = setUp()
  const { key } = await launched(parts)
  const { key: otherKey } = await launched(parts)
  const name = `launch:{${key.session}}:${key.launch}`
  const seal = (value: unknown): string => parts.keyRing.seal('launch', name, JSON.stringify(value))
  const good = exampleRecord(key.launch, start)
  const foreign = (await parts.store.readLaunch(otherKey))?.sealed ?? ''
  const found: [string, string][] = [
    ['', 'malformed'],
    ['garbage', 'malformed'],
    [createKeyRing([newKey('k9')]).seal('launch', name, '{}'), 'unknown_key'],
    [createKeyRing([newKey('k1')]).seal('launch', name, '{}'), 'tampered'],
    [foreign, 'tampered'],
    [parts.keyRing.seal('pending', name, JSON.stringify(good)), 'tampered'],
    [parts.keyRing.seal('launch', name, 'not json'), 'shape'],
    [seal(null), 'shape'],
    [seal({ ...good, schema: 0 }), 'shape'],
    [seal({ ...good, schema: '2' }), 'shape'],
    [seal({ ...good, tokens: null }), 'shape'],
    [seal({ ...good, state: 'ended' }), 'shape'],
    [seal({ ...good, launch: newId() }), 'foreign'],
  ]
  let version = 1
  for (const [sealed, fault] of found) {
    await parts.store.replaceLaunch(key, version, sealed)
    version += 1
    t.strictSame(await parts.vault.open(key), { kind: 'missing' }, fault)
    t.equal(parts.garbage.pop(), fault)
  }
  t.equal(await parts.vault.end(key, 'ended'), undefined)
})

t.test(
  'what a later version wrote is a fault, never a missing launch, and left alone',
  async (t) => {
    const parts = setUp()
    const { key, record } = await launched(parts)
    const later = parts.keyRing.seal(
      'launch',
      boxName(key),
      JSON.stringify({ ...record, schema: 2 }),
    )
    for (const [version, sealed] of [later, 'v3.k1.bytes'].entries()) {
      t.ok(await parts.store.replaceLaunch(key, version + 1, sealed))
      await t.rejects(parts.vault.open(key), { code: 'STORE_UNAVAILABLE' })
      t.equal(parts.garbage.pop(), 'newer')
      t.match(await parts.store.readLaunch(key), { sealed, version: version + 2, ended: '' })
    }
    // Its end is not in doubt.
    t.equal(await parts.vault.end(key, 'ended'), undefined)
    t.strictSame(await parts.vault.open(key), { kind: 'ended', state: 'ended' })
  },
)

t.test(
  'records are written in the form asked for; each form is read, and a change keeps to what is asked',
  async (t) => {
    const { store, keyRing } = setUp()
    const session = { idleMs: 15 * minuteMs, absoluteMs: 600 * minuteMs }
    const open = async (vault: Vault, key: LaunchKey): Promise<OpenLaunch> => {
      const opening = await vault.open(key)
      if (opening.kind !== 'open') throw new Error(opening.kind)
      return opening.launch
    }
    const forms = [
      ['text', /^v1\.k1\.[\w-]+$/],
      ['packed', /^v2\.k1\./],
      [undefined, /^v2\.k1\./],
    ] as const
    const vaults = forms.map(([launchRecords]) =>
      createVault({ store, keyRing, now: () => start, session, launchRecords }),
    )
    for (const [writer, [form, pattern]] of forms.entries()) {
      const vault = vaults[writer]
      if (vault === undefined) throw new Error('none')
      const { key, record } = await launched({ store, vault })
      t.match((await store.readLaunch(key))?.sealed, pattern, form ?? 'unless given')
      for (const [reader, other] of vaults.entries()) {
        const opened = await open(other, key)
        t.strictSame(opened.record, record)
        t.ok(await other.replace(key, opened, record))
        t.match((await store.readLaunch(key))?.sealed, forms[reader]?.[1])
      }
    }
  },
)

t.test('a store fault is a fault, never a missing launch', async (t) => {
  const parts = setUp()
  const full = createEmbeddedStore({ now: () => 0, maxRecords: 0 })
  const vault = createVault({
    store: {
      ...parts.store,
      readLaunch: async () => {
        await full.putPending('s', 'x', 1)
        return undefined
      },
    },
    keyRing: parts.keyRing,
    now: () => start,
    session: { idleMs: 1, absoluteMs: 1 },
  })
  await t.rejects(vault.open({ session: 'h', launch: 'l' }), { code: 'STORE_UNAVAILABLE' })
})
