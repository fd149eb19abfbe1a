import t from 'tap'
import type { AuditEvent } from '../../src/audit/event.ts'
import { createPseudonyms } from '../../src/audit/pseudonyms.ts'
import { createSessionRecords } from '../../src/session/session-records.ts'
import { createEmbeddedStore } from '../../src/store/embedded.ts'
import { createKeyRing, type RingKey } from '../../src/vault/key-ring.ts'
import { createLaunchIndex } from '../../src/vault/launch-index.ts'
import type { LaunchUser } from '../../src/vault/record.ts'
import { resealAll } from '../../src/vault/reseal.ts'
import { createRevocation, type RevocationTarget } from '../../src/vault/revocation.ts'
import { createVault, type VaultDeps } from '../../src/vault/vault-store.ts'
import { exampleRecord, newId, newKey } from './example.ts'

const clocks = { idleMs: 900_000, absoluteMs: 36_000_000 }
const keys = { old: newKey('k1'), young: newKey('k2') }

/** One store as processes with different key rings see it. */
function setUp() {
  const now = Date.now
  const store = createEmbeddedStore({ now })
  const pseudonyms = createPseudonyms([newKey('p2'), newKey('p1')])
  const index = createLaunchIndex({ store, pseudonyms })
  const events: AuditEvent[] = []
  const revoked: string[] = []
  const process = (
    ring: readonly RingKey[],
    indexed = true,
    launchRecords: VaultDeps['launchRecords'] = 'packed',
  ) => {
    const keyRing = createKeyRing(ring)
    const vault = createVault({
      store,
      keyRing,
      now,
      session: clocks,
      launchRecords,
      ...(indexed ? { index } : {}),
    })
    const sessions = createSessionRecords({ store, keyRing, now, ...clocks })
    const revocation = createRevocation({
      store,
      vault,
      index,
      pseudonyms,
      audit: { record: async (event) => void events.push(event) },
      revoke: async ({ launch }) => void revoked.push(launch),
    })
    const begin = async (tenant: string, user: Partial<LaunchUser> = {}) => {
      const [session, launch] = [newId(), newId()]
      await sessions.create(session, sessions.begin())
      const record = exampleRecord(launch, now(), { tenant })
      await vault.create({ session, launch }, { ...record, user: { ...record.user, ...user } })
      return { session, launch }
    }
    const revoke = (target: RevocationTarget) =>
      revocation({ target, by: 'anna', reason: 'incident', request: 'AAAA-AAAA-AA' })
    return { keyRing, vault, sessions, begin, revoke }
  }
  return { store, pseudonyms, events, revoked, process }
}

t.test('by user, as the audit shows him or by what the EHR calls him', async (t) => {
  for (const indexed of [true, false]) {
    const { pseudonyms, revoked, process } = setUp()
    const { vault, begin, revoke } = process([keys.old], indexed)
    const patient = { fhirUser: 'Patient/p1', subject: 'p1', kind: 'patient' } as const
    const mine = await begin('north', { fhirUser: 'Practitioner/1', subject: 's1' })
    const login = await begin('north', { fhirUser: undefined, subject: 's2' })
    const own = await begin('north', patient)
    const elsewhere = await begin('south', { fhirUser: 'Practitioner/1', subject: 's1' })
    const shown = pseudonyms.user('north', { ...patient, issuer: 'https://ehr.example' })

    for (const [user, expected] of [
      ['Practitioner/1', mine],
      ['s2', login],
      [shown, own],
    ] as const) {
      const result = await revoke({ kind: 'user', tenant: 'north', user })
      t.strictSame(result, { ended: 1, replicated: true }, user)
      t.strictSame(await vault.open(expected), { kind: 'ended', state: 'revoked' })
      t.equal(revoked.at(-1), expected.launch)
    }
    t.match(await vault.open(elsewhere), { kind: 'open' }, 'the same name at another tenant')
  }
})

t.test('by tenant, key and all; and audited with who and why', async (t) => {
  const { store, events, process } = setUp()
  const before = process([keys.old])
  const [north, south] = [await before.begin('north'), await before.begin('south')]
  t.match(await before.revoke({ kind: 'tenant', tenant: 'north' }), { ended: 1 })
  t.strictSame(await before.vault.open(north), { kind: 'ended', state: 'revoked' })
  t.match(events, [
    { event: 'revocation.ordered', user: { subject: 'anna', kind: 'staff' }, tenant: 'north' },
    { event: 'launch.transition', state: 'revoked', actor: 'staff', reason: 'incident' },
    { event: 'revocation.carried_out', user: { subject: 'anna' }, count: 1 },
  ])

  // The key is compromised and is no longer in the ring: what it sealed ends although nobody can open it.
  const after = process([keys.young])
  const young = await after.begin('north')
  t.match(await after.revoke({ kind: 'key', key: 'k1' }), { ended: 1 })
  t.match(await store.readLaunch(south), { ended: 'revoked' })
  t.match(await after.vault.open(young), { kind: 'open' })

  t.match(await after.revoke({ kind: 'everything' }), { ended: 1 })
  t.match(await after.vault.open(young), { kind: 'ended', state: 'revoked' })
  t.equal(await after.sessions.read(young.session), undefined, 'sessions go with everything')
  t.match(await after.revoke({ kind: 'everything' }), { ended: 0 })
})

t.test(
  'rotation: every launch and session is sealed under the first key, and stays whole',
  async (t) => {
    const { store, process } = setUp()
    const before = process([keys.old])
    const earlier = process([keys.old], true, 'text')
    const text = await earlier.begin('north')
    const keyPairs = await Promise.all(Array.from({ length: 5 }, () => before.begin('north')))
    const [ended] = keyPairs
    if (ended === undefined) throw new Error('none')
    await before.vault.end(ended, 'ended')
    const during = process([keys.young, keys.old])
    const pages: object[] = []
    const count = await resealAll(
      { store, keyRing: during.keyRing, sessions: during.sessions },
      (sofar) => void pages.push(sofar),
    )
    t.strictSame(count, { resealed: 11, fresh: 0, gone: 1, unreadable: 0 })
    t.ok(pages.length > 0)
    const again = { store, keyRing: during.keyRing, sessions: during.sessions }
    t.match(await resealAll(again, () => undefined), { resealed: 0, fresh: 11 })

    const after = process([keys.young])
    t.match((await store.readLaunch(text))?.sealed, /^v1\.k2\./, 'in the form that it had')
    for (const key of [text, ...keyPairs.slice(1)]) {
      t.match(await after.vault.open(key), {
        kind: 'open',
        launch: { record: { launch: key.launch } },
      })
      t.ok(await after.sessions.read(key.session))
    }
    t.match(await before.vault.open(keyPairs[1] ?? ended), { kind: 'missing' })
  },
)

t.test('a write beside the rotation is not lost', async (t) => {
  const { store, process } = setUp()
  const before = process([keys.old])
  const key = await before.begin('north')
  const during = process([keys.young, keys.old])
  let raced = false
  const racing = {
    ...store,
    replaceLaunch: async (...args: Parameters<typeof store.replaceLaunch>) => {
      if (!raced) {
        raced = true
        const opening = await during.vault.open(key)
        if (opening.kind !== 'open') throw new Error('not open')
        const { record } = opening.launch
        await during.vault.replace(key, opening.launch, { ...record, state: 'reauth_required' })
      }
      return store.replaceLaunch(...args)
    },
  }
  await resealAll(
    { store: racing, keyRing: during.keyRing, sessions: during.sessions },
    () => undefined,
  )
  t.match(await process([keys.young]).vault.open(key), {
    launch: { record: { state: 'reauth_required' } },
  })
})
