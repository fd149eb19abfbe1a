import t from 'tap'
import { createEmbeddedStore } from '../../src/store/embedded.ts'
import { storeContract } from '../contracts/store.ts'

t.test('the embedded store keeps the contract', async (t) => {
  await storeContract(t, async () => {
    let time = Date.UTC(2026, 0, 1)
    const store = createEmbeddedStore({ now: () => time })
    const pass = async (ms: number): Promise<void> => {
      time += ms
    }
    return { store, other: store, now: () => time, pass }
  })
})

t.test('it is bounded: full of live records it refuses, and expired ones make room', async (t) => {
  let time = 0
  const store = createEmbeddedStore({ now: () => time, maxRecords: 3 })
  for (const state of ['a', 'b', 'c']) await store.putPending(state, 'sealed', 100)
  await t.rejects(store.putPending('d', 'sealed', 100), { code: 'STORE_UNAVAILABLE' })
  await store.putPending('a', 'again', 100)
  t.equal(await store.takePending('a'), 'again')
  await store.putPending('d', 'sealed', 200)
  time = 150
  await store.putPending('e', 'sealed', 100)
  t.equal(await store.takePending('d'), 'sealed')
})

t.test('so are its deadlines, indexes and counters', async (t) => {
  let time = 0
  const full = { code: 'STORE_UNAVAILABLE' }
  const store = createEmbeddedStore({ now: () => time, maxRecords: 3 })
  for (const launch of ['a', 'b', 'c']) {
    await store.schedule({ session: 's', launch }, 100)
    await store.addToIndex('tenant:north', { session: 's', launch }, 100)
    await store.countUp(launch, 100)
  }
  await t.rejects(store.schedule({ session: 's', launch: 'd' }, 100), full)
  await t.rejects(store.addToIndex('tenant:north', { session: 's', launch: 'd' }, 200), full)
  await t.rejects(store.countUp('d', 100), full)
  await store.schedule({ session: 's', launch: 'a' }, 150)
  time = 150
  await store.addToIndex('tenant:north', { session: 's', launch: 'e' }, 300)
  t.equal((await store.countUp('d', 100)).count, 1, 'what is over makes room')
})
