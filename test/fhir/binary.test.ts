import { connect } from 'node:net'
import { setTimeout as pass } from 'node:timers/promises'
import { gzipSync } from 'node:zlib'
import t from 'tap'
import type { AuditEvent } from '../../src/audit/event.ts'
import type { LaunchKey } from '../../src/store/store.ts'
import { createWorld, launchId, respondWith } from './helper.ts'
import type { World, WorldOptions } from './helper.ts'

const rules = [
  { feature: 'Documents', resource: 'DocumentReference', interactions: ['read', 'search-type'] },
  { feature: 'Files', resource: 'Binary', interactions: ['read'] },
]
const ours = 'http://localhost:3000'

async function open(
  t: { teardown(end: () => Promise<void>): void },
  options: WorldOptions = {},
): Promise<World> {
  const world = await createWorld({ mode: { allow: rules }, ...options })
  t.teardown(() => world.close())
  return world
}

/** The path of the handle that a judged document gives for a URL. */
async function handleFor(
  world: World,
  url: string,
  contentType = 'application/pdf',
): Promise<string> {
  world.ehr.answer = respondWith({
    resourceType: 'DocumentReference',
    id: 'd1',
    subject: { reference: 'Patient/p1' },
    content: [{ attachment: { contentType, url } }],
  })
  const answer = await world.fetch(`/fhir/${launchId}/DocumentReference/d1`)
  const [content] = answer.json().content
  return content.attachment.url
}

t.test(
  'an attachment is reached by its handle alone, streamed, with the type that was sealed',
  async (t) => {
    const world = await open(t)
    for (const url of [`${world.ehr.base}/Binary/b1`, 'Binary/b1']) {
      const handle = await handleFor(world, url)
      t.match(handle, `${ours}/fhir/${launchId}/_binary/`)
      const body = Buffer.alloc(3_000_000, 'x')
      world.ehr.answer = respondWith(body, 200, { 'content-type': 'application/pdf' })
      const answer = await world.fetch(handle.slice(ours.length))
      t.equal(answer.status, 200)
      t.equal(answer.body.length, body.length)
      t.equal(answer.headers['content-type'], 'application/pdf')
      t.equal(answer.headers['content-disposition'], 'attachment')
      t.equal(answer.headers['content-security-policy'], "sandbox; default-src 'none'")
      t.equal(world.ehr.seen.at(-1)?.url, '/fhir/r4/Binary/b1')
      t.equal(world.ehr.seen.at(-1)?.headers.accept, 'application/pdf')
      // The second of its two records follows the last byte.
      for (let waits = 0; waits < 200 && world.audited.at(-1)?.bytes === undefined; waits += 1) {
        await new Promise((resolve) => setTimeout(resolve, 10))
      }
      t.match(world.audited.at(-2), { event: 'fhir.permitted', resource: 'Binary', rule: 'Files' })
      t.match(world.audited.at(-1), { event: 'fhir.access', bytes: body.length, rule: 'Files' })
    }
    const asked = world.ehr.seen.length
    t.equal((await world.fetch(`/fhir/${launchId}/Binary/b1`)).status, 403, 'without a handle')
    t.equal(
      (await world.fetch(`/fhir/${launchId}/_binary/0123456789abcdef0123456789abcdef0123456789`))
        .status,
      410,
    )
    t.equal(world.ehr.seen.length, asked)
  },
)

t.test('other places, other types and other days', async (t) => {
  const world = await open(t)
  for (const url of [
    'https://files.example/Binary/b1',
    `${world.ehr.base}/Binary/../Patient/p2`,
    `${world.ehr.base}/Patient/p2`,
    'data:,x',
  ]) {
    t.equal(await handleFor(world, url), url, 'left as it is: no token goes there')
  }
  const handle = (await handleFor(world, 'Binary/b1')).slice(ours.length)
  for (const type of ['application/fhir+json', 'text/html', '']) {
    world.ehr.answer = respondWith('{}', 200, { 'content-type': type })
    t.equal((await world.fetch(handle)).status, 502, type)
  }
  const odd = (await handleFor(world, 'Binary/b1', 'image/svg+xml')).slice(ours.length)
  world.ehr.answer = respondWith('<svg/>', 200, { 'content-type': 'image/svg+xml' })
  t.equal((await world.fetch(odd)).headers['content-type'], 'application/octet-stream')
  world.ehr.answer = respondWith('', 404)
  t.equal((await world.fetch(handle)).status, 404)
  const image = {
    'sec-fetch-site': 'same-origin',
    'sec-fetch-dest': 'image',
    'sec-fetch-mode': 'no-cors',
  }
  world.ehr.answer = respondWith('x', 200, { 'content-type': 'application/pdf' })
  t.equal((await world.fetch(handle, { headers: image })).status, 200, 'an img may show one')
  world.auditFails = true
  t.equal((await world.fetch(handle)).status, 503, 'no record, no byte')
  world.auditFails = false
  world.record = {
    ...world.record,
    scopes: { requested: '', granted: 'patient/DocumentReference.rs' },
  }
  t.equal((await world.fetch(handle)).headers['smart-bff-state'], 'scope_insufficient')
})

t.test('a stream that breaks off is cut, and recorded', async (t) => {
  const world = await open(t)
  const handle = (await handleFor(world, 'Binary/b1')).slice(ours.length)
  world.ehr.answer = (_, outgoing) => {
    outgoing.writeHead(200, { 'content-type': 'application/pdf', 'content-length': '1000' })
    outgoing.write('x'.repeat(100))
    setTimeout(() => outgoing.destroy(), 20)
  }
  await t.rejects(world.fetch(handle))
  for (let waits = 0; waits < 50 && world.audited.at(-1)?.event !== 'fhir.aborted'; waits += 1) {
    await new Promise((resolve) => setTimeout(resolve, 10))
  }
  t.match(world.audited.at(-1), { event: 'fhir.aborted', bytes: 100 })
})

t.test('an attachment with an older token is tried once more with a newer one', async (t) => {
  const world = await open(t)
  const handle = (await handleFor(world, 'Binary/b1')).slice(ours.length)
  world.ehr.answer = (incoming, outgoing) => {
    const fresh = incoming.headers.authorization === 'Bearer access-token-2'
    respondWith('x', fresh ? 200 : 401, { 'content-type': 'application/pdf' })(
      incoming,
      outgoing,
      '',
    )
  }
  t.equal((await world.fetch(handle)).status, 200)
  t.strictSame([world.refusals, world.refusedAgain], [1, 0])
  world.ehr.answer = respondWith('', 401)
  t.equal((await world.fetch(handle)).headers['smart-bff-state'], 'authorization_expired')
  t.strictSame([world.refusals, world.refusedAgain], [2, 1])
  let asked = 0
  world.ehr.answer = (incoming, outgoing) => {
    asked += 1
    if (asked === 1) respondWith('', 401)(incoming, outgoing, '')
    else outgoing.destroy()
  }
  t.equal((await world.fetch(handle)).headers['smart-bff-state'], 'data_unavailable')
  t.strictSame([world.refusals, world.refusedAgain], [3, 1])
})

t.test(
  'attachments share the circuit, the retry and the patience of everything else',
  async (t) => {
    const world = await open(t, {
      tenant: { upstream: { circuit: { failures: 2, openSeconds: 5 } } },
    })
    const handle = (await handleFor(world, 'Binary/b1')).slice(ours.length)
    const pdf = respondWith('x', 200, { 'content-type': 'application/pdf' })
    let cuts = 1
    world.ehr.answer = (incoming, outgoing) => {
      cuts -= 1
      if (cuts === 0) incoming.socket.destroy()
      else pdf(incoming, outgoing, '')
    }
    t.equal((await world.fetch(handle)).status, 200, 'a broken connection, once')
    world.ehr.answer = respondWith('', 429, { 'retry-after': '1' })
    t.equal((await world.fetch(handle)).status, 429)
    const asked = world.ehr.seen.length
    t.equal((await world.fetch(handle)).status, 429)
    t.equal(world.ehr.seen.length, asked)
    await new Promise((resolve) => setTimeout(resolve, 1050))
    world.ehr.answer = respondWith('', 503)
    t.equal((await world.fetch(handle)).status, 503)
    const { upstream, urls } = world.deps.upstreams.of(world.tenant)
    const ask = {
      method: 'GET',
      target: `${urls.prefix}/x`,
      launch: 'other',
      accessToken: 'x',
    } as const
    const listener = { gone: false, whenGone: undefined, held: 0 }
    await upstream.send({ ...ask, headers: [], body: undefined, listener })
    const failed = world.ehr.seen.length
    t.match((await world.fetch(handle)).headers['retry-after'], /^[45]$/, 'the circuit is open')
    t.equal(world.ehr.seen.length, failed)
  },
)

t.test('a browser that stops reading does not hold a connection for ever', async (t) => {
  const world = await open(t, { tenant: { upstream: { timeoutMs: 300 } } })
  const handle = (await handleFor(world, 'Binary/b1')).slice(ours.length)
  const sent = new Promise<void>((resolve) => {
    world.ehr.answer = (incoming, outgoing) => {
      incoming.socket.once('close', () => resolve())
      outgoing.writeHead(200, { 'content-type': 'application/pdf' })
      const fill = (): void => {
        while (!outgoing.destroyed && outgoing.write(Buffer.alloc(65_536)));
      }
      outgoing.on('drain', fill)
      fill()
    }
  })
  const socket = connect(Number(new URL(world.ours).port), '127.0.0.1')
  socket.on('error', () => undefined)
  socket.pause()
  socket.write(
    `GET ${handle} HTTP/1.1\r\nhost: x\r\nsmart-bff: 1\r\ncookie: ${world.cookie}\r\n\r\n`,
  )
  await sent
  for (let waits = 0; waits < 100 && world.audited.at(-1)?.event !== 'fhir.aborted'; waits += 1) {
    await new Promise((resolve) => setTimeout(resolve, 10))
  }
  t.match(world.audited.at(-1), { event: 'fhir.aborted' })
  socket.destroy()
})

t.test('who goes while the record of a stream is written begins nothing', async (t) => {
  const world = await open(t)
  const handle = (await handleFor(world, 'Binary/b1')).slice(ours.length)
  const audit = { ...world.deps.audit }
  let cut = (): void => undefined
  const written = Promise.withResolvers<void>()
  t.intercept(world.deps.audit, 'record', {
    value: async (event: AuditEvent) => {
      if (event.event === 'fhir.permitted') {
        cut()
        for (let waits = 0; waits < 500 && world.audited.length < 2; waits += 1) await pass(10)
      }
      await audit.record(event)
      if (event.event === 'fhir.permitted') written.resolve()
    },
  })
  let looked = 0
  const { vault } = world.deps
  const look = vault.open
  t.intercept(vault, 'open', {
    value: (key: LaunchKey) => {
      looked += 1
      return look(key)
    },
  })
  world.ehr.answer = (_, outgoing) => {
    cut = () => outgoing.destroy()
    outgoing.writeHead(200, { 'content-type': 'application/pdf', 'content-length': '1000' })
    outgoing.flushHeaders()
  }
  const answer = await world.fetch(handle)
  t.equal(answer.status, 502, 'a whole answer, not a head without an end')
  t.equal(answer.headers['smart-bff-state'], 'data_unavailable')
  await written.promise
  const before = looked
  await pass(1200)
  t.equal(looked, before, 'nobody watches for the end of what never began')
})

t.test('an EHR that encodes what was asked for as it is', async (t) => {
  const world = await open(t)
  const handle = (await handleFor(world, 'Binary/b1')).slice(ours.length)
  const headers = { 'content-type': 'application/pdf', 'content-encoding': 'gzip' }
  world.ehr.answer = respondWith(gzipSync('%PDF-'), 200, headers)
  t.equal((await world.fetch(handle)).status, 502)
  world.ehr.answer = respondWith('%PDF-', 200, { ...headers, 'content-encoding': 'identity' })
  t.equal((await world.fetch(handle)).status, 200)
})

t.test('a stream that fails after its head is cut, whatever failed', async (t) => {
  const world = await open(t)
  const handle = (await handleFor(world, 'Binary/b1')).slice(ours.length)
  const { upstream } = world.deps.upstreams.of(world.tenant)
  const plain = { ...upstream }
  t.intercept(upstream, 'stream', {
    value: async (...ask: Parameters<typeof plain.stream>) => {
      await plain.stream(...ask)
      throw new TypeError('a fault of our own')
    },
  })
  world.ehr.answer = respondWith('%PDF-', 200, { 'content-type': 'application/pdf' })
  await t.rejects(world.fetch(handle))
  t.match(world.faults, [{ message: 'a fault of our own' }])
})

t.test('a browser that has gone before its turn asks the EHR for nothing', async (t) => {
  const world = await open(t)
  const handle = (await handleFor(world, 'Binary/b1')).slice(ours.length)
  const asked = world.ehr.seen.length
  const { promise: waiting, resolve: waits } = Promise.withResolvers<void>()
  const { promise: renewed, resolve: renew } = Promise.withResolvers<void>()
  const tokens = { ...world.deps.tokens }
  t.intercept(world.deps.tokens, 'current', {
    value: async (...token: Parameters<typeof tokens.current>) => {
      waits()
      await renewed
      return tokens.current(...token)
    },
  })
  const socket = connect(Number(new URL(world.ours).port), '127.0.0.1')
  socket.write(
    `GET ${handle} HTTP/1.1\r\nhost: x\r\nsmart-bff: 1\r\ncookie: ${world.cookie}\r\n\r\n`,
  )
  await waiting
  socket.destroy()
  await pass(50)
  renew()
  for (let waits = 0; waits < 100 && world.audited.at(-1)?.event !== 'fhir.failed'; waits += 1) {
    await pass(10)
  }
  t.match(world.audited.at(-1), { event: 'fhir.failed' })
  t.equal(world.ehr.seen.length, asked)
})
