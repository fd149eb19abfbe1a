import { request as httpRequest, type ClientRequest } from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { eventRoutes } from '../../src/session/event-routes.ts'
import { createEmbeddedStore } from '../../src/store/embedded.ts'
import { createEventStreams } from '../../src/session/event-streams.ts'
import { browserRequests } from '../../src/session/launch-routes.ts'
import type { Store } from '../../src/store/store.ts'
import { exampleRecord } from '../vault/example.ts'
import { ask, ownPage, publicOrigin, startRig, stores, type Rig } from './rig.ts'

/** `GET /session/events` on real sockets: one stream a session, what it tells, and how it ends. */

const heartbeatMs = 100

const rigWith = (t: Test, store: Store, beatMs = heartbeatMs): Promise<Rig> =>
  startRig(t, {
    store,
    routes: async (scope, rig) => {
      const audit = { record: async () => undefined }
      scope.addHook('onRequest', browserRequests({ publicOrigin, audit }))
      await scope.register(eventRoutes({ store: rig.store, heartbeatMs: beatMs }))
    },
  })

interface Heard {
  readonly status: number
  readonly headers: Readonly<Record<string, unknown>>
  readonly events: { readonly type: string; readonly data: Record<string, unknown> }[]
  readonly over: () => boolean
  readonly leave: () => ClientRequest
}

/** Opens the stream as a frame would. */
function listen(rig: Rig, cookie: string): Promise<Heard> {
  return new Promise((resolve, reject) => {
    const request = httpRequest(
      { port: rig.port, path: '/session/events', agent: false, headers: { ...ownPage, cookie } },
      (response) => {
        const events: Heard['events'] = []
        let over = false
        let text = ''
        response.setEncoding('utf8')
        response.on('error', () => undefined)
        response.on('close', () => (over = true))
        response.on('data', (chunk: string) => {
          const parts = (text + chunk).split('\n\n')
          text = parts.pop() ?? ''
          for (const part of parts) {
            const [, type, data] = /^event: (\w+)\ndata: (.*)$/.exec(part) ?? []
            if (type !== undefined) events.push({ type, data: JSON.parse(data ?? '') })
          }
        })
        const { statusCode: status = 0, headers } = response
        resolve({ status, headers, events, over: () => over, leave: () => request.destroy() })
      },
    )
    request.on('error', reject)
    request.end()
  })
}

async function until(what: () => boolean): Promise<boolean> {
  const end = performance.now() + 3_000
  while (!what() && performance.now() < end) {
    // oxlint-disable-next-line no-await-in-loop -- polling is the point
    await sleep(10)
  }
  return what()
}
const types = ({ events }: Heard) => events.map(({ type }) => type)

for (const [name, openStore] of Object.entries(stores)) {
  t.test(`on the ${name} store`, async (t) => {
    const store = await openStore(t)
    const rig = await rigWith(t, store)

    await t.test('tells what lives, then beats', async (t) => {
      const { cookie, launch } = await rig.begin()
      const heard = await listen(rig, cookie)
      t.equal(heard.status, 200)
      t.match(heard.headers, {
        'content-type': 'text/event-stream; charset=utf-8',
        'cache-control': 'no-store',
        'x-content-type-options': 'nosniff',
      })
      t.ok(await until(() => types(heard).filter((type) => type === 'heartbeat').length > 1))
      t.same(heard.events.slice(0, 2), [
        { type: 'launch', data: { launch, state: 'active' } },
        { type: 'heartbeat', data: { launches: [launch] } },
      ])
      heard.leave()
    })

    await t.test('one stream a session; who leaves makes room', async (t) => {
      const { cookie } = await rig.begin()
      const other = await rig.begin()
      const first = await listen(rig, cookie)
      t.equal((await listen(rig, cookie)).status, 204)
      const elsewhere = await listen(rig, other.cookie)
      t.equal(elsewhere.status, 200, 'another session has its own')
      elsewhere.leave()
      first.leave()
      let next = await listen(rig, cookie)
      t.ok(
        await until(() => {
          if (next.status !== 200) void listen(rig, cookie).then((heard) => (next = heard))
          return next.status === 200
        }),
        'at once, not only when the lease runs out',
      )
      next.leave()
    })

    await t.test('without a session, and for another page, there is none', async (t) => {
      t.equal((await ask(rig.port, '/session/events', { headers: ownPage })).status, 401)
      const foreign = { ...ownPage, 'sec-fetch-site': 'cross-site' }
      t.equal((await ask(rig.port, '/session/events', { headers: foreign })).status, 403)
    })

    await t.test('an end is told at once, and another session hears nothing of it', async (t) => {
      const { cookie, session, launch } = await rig.begin()
      const stranger = await rig.begin()
      const [heard, strange] = await Promise.all([
        listen(rig, cookie),
        listen(rig, stranger.cookie),
      ])
      await until(() => types(heard).includes('heartbeat'))
      await rig.vault.end({ session, launch }, 'superseded')
      t.ok(await until(() => types(heard).includes('state')))
      t.same(heard.events.find(({ type }) => type === 'state')?.data, {
        launch,
        state: 'superseded',
      })
      t.notOk(JSON.stringify(strange.events).includes(launch))
      heard.leave()
      strange.leave()
    })

    await t.test('a new launch is told', async (t) => {
      const { cookie, session } = await rig.begin()
      const heard = await listen(rig, cookie)
      await until(() => types(heard).includes('heartbeat'))
      const record = exampleRecord('a-launch-that-came-later', Date.now())
      await rig.vault.create({ session, launch: record.launch }, record)
      t.ok(await until(() => JSON.stringify(heard.events).includes(record.launch)))
      heard.leave()
    })

    await t.test(
      'the end of the session is told for each launch, and ends the stream',
      async (t) => {
        const { cookie, session, launch } = await rig.begin()
        const heard = await listen(rig, cookie)
        await until(() => types(heard).includes('heartbeat'))
        await rig.vault.endSession(session, 'revoked')
        t.ok(await until(heard.over))
        t.same(heard.events.slice(-2), [
          { type: 'state', data: { launch, state: 'revoked' } },
          { type: 'heartbeat', data: { launches: [] } },
        ])
      },
    )

    await t.test(
      'the end of the session reaches a launch that no beat has named yet',
      async (t) => {
        const own = await rigWith(t, store, 60_000)
        const { cookie, session } = await own.begin()
        const heard = await listen(own, cookie)
        await until(() => types(heard).includes('heartbeat'))
        const record = exampleRecord('a-launch-after-the-beat', Date.now())
        await own.vault.create({ session, launch: record.launch }, record)
        await own.vault.endSession(session, 'ended')
        t.ok(await until(heard.over))
        t.notOk(JSON.stringify(heard.events).includes(record.launch))
        t.same(heard.events.at(-1), { type: 'heartbeat', data: { launches: [] } })
      },
    )

    await t.test('a place that ran out is taken again, so that no end goes unheard', async (t) => {
      const { cookie, session, launch } = await rig.begin()
      const heard = await listen(rig, cookie)
      await until(() => types(heard).includes('heartbeat'))
      // As after a clock that was set, or a process that stood still.
      const lease = `events:${session}`
      const holder = (await store.readLease(lease)) ?? ''
      await store.releaseLease(lease, holder)
      const before = heard.events.length
      t.ok(await until(() => heard.events.length > before + 1), 'it goes on')
      t.equal(await store.readLease(lease), holder)
      await store.endLaunch({ session, launch }, 'revoked')
      t.ok(await until(() => types(heard).includes('state')))

      await store.releaseLease(lease, holder)
      await store.acquireLease(lease, 'of another replica', 60_000)
      t.ok(await until(heard.over), 'unless another has taken it')
      t.equal(await store.readLease(lease), 'of another replica')
    })

    await t.test('a server that stops ends its streams and waits for none', async (t) => {
      const own = await startRigBeside(t, store)
      const { cookie } = await own.begin()
      const heard = await listen(own, cookie)
      const started = performance.now()
      await own.app.close()
      t.ok(performance.now() - started < 2_000)
      t.ok(await until(heard.over))
    })
  })
}

const startRigBeside = (t: Test, store: Store): Promise<Rig> => rigWith(t, store)

t.test(
  'replicas: the second admits none while the first streams, and tells ends of the first',
  async (t) => {
    const store = await stores.redis(t)
    const one = await rigWith(t, store)
    const { cookie, session, launch } = await one.begin()
    const streams = createEventStreams({ store, heartbeatMs })
    t.teardown(() => streams.close())
    const heard = await listen(one, cookie)
    t.equal(await streams.open(session), undefined)
    await until(() => types(heard).includes('heartbeat'))
    await store.endLaunch({ session, launch }, 'revoked')
    t.ok(await until(() => types(heard).includes('state')))
    heard.leave()
  },
)

t.test('a browser that takes nothing is let go, and its place is free', async (t) => {
  const store = createEmbeddedStore({ now: Date.now })
  const launches = Array.from({ length: 64 }, (_, n) => `launch-${n}-${'x'.repeat(24)}`)
  const streams = createEventStreams({
    store: { ...store, listLaunches: async () => launches },
    heartbeatMs: 10,
  })
  t.teardown(() => streams.close())
  const stream = await streams.open('S')
  if (stream === undefined) throw new Error('not admitted')
  t.equal(await streams.open('S'), undefined, 'while it stands nobody else is admitted')
  // As behind a connection that is half open: nobody reads, nobody closes.
  t.ok(await until(() => stream.destroyed), 'what waits for it is bounded')
  let next: typeof stream | undefined
  t.ok(
    await until(() => {
      void streams.open('S').then((opened) => (next ??= opened))
      return next !== undefined
    }),
  )
  next?.destroy()
})

t.test('a browser that does not even take the end keeps no place', async (t) => {
  const store = createEmbeddedStore({ now: Date.now })
  const streams = createEventStreams({ store, heartbeatMs: 20 })
  t.teardown(() => streams.close())
  const stream = await streams.open('S')
  if (stream === undefined) throw new Error('not admitted')
  // Nobody reads it; its session ends.
  await store.endSession('S', 'ended')
  t.ok(await until(() => stream.destroyed))
})
