import t from 'tap'
import { SmartBffError } from '../../src/errors.ts'
import { createWorld, launchId, respondWith } from './helper.ts'
import type { World } from './helper.ts'

/** An EHR may take longer than a launch lives. */

const at = (path: string): string => `/fhir/${launchId}/${path}`
const allow = [
  { feature: 'Me', resource: 'Patient', interactions: ['read'] },
  { feature: 'Notes', resource: 'Observation', interactions: ['read', 'update', 'create'] },
  { feature: 'Documents', resource: 'DocumentReference', interactions: ['read'] },
  { feature: 'Files', resource: 'Binary', interactions: ['read'] },
]
const patient = { resourceType: 'Patient', id: 'p1' }
const note = {
  resourceType: 'Observation',
  id: 'o1',
  meta: { versionId: '3' },
  subject: { reference: 'Patient/p1' },
}
/** Longer than the news of an end may take. */
const lateMs = 600

async function open(t: { teardown(end: () => Promise<void>): void }): Promise<World> {
  const world = await createWorld({ mode: { allow } })
  t.teardown(() => world.close())
  return world
}

/** The EHR answers after the launch has ended. */
function endsMeanwhile(
  world: World,
  answer: World['ehr']['answer'],
  opening: NonNullable<World['opening']>,
): void {
  world.ehr.answer = (incoming, outgoing, body) => {
    world.opening = opening
    setTimeout(() => answer(incoming, outgoing, body), lateMs)
  }
}

const json = { 'content-type': 'application/fhir+json' }

t.test('what comes after the launch has ended is not shown', async (t) => {
  const world = await open(t)
  for (const [opening, status, reason] of [
    [{ kind: 'ended', state: 'ended' }, 401, 'LAUNCH_ENDED'],
    [{ kind: 'ended', state: 'superseded' }, 409, 'LAUNCH_SUPERSEDED'],
    [{ kind: 'missing' }, 401, 'LAUNCH_ENDED'],
  ] as const) {
    world.opening = undefined
    endsMeanwhile(world, respondWith(patient), opening)
    const answer = await world.fetch(at('Patient/p1'))
    t.equal(answer.status, status)
    t.equal(answer.json().resourceType, 'OperationOutcome')
    t.match(world.audited.at(-1), { event: 'fhir.refused', reason, upstreamStatus: 200 })
  }
  world.opening = undefined
  world.ehr.answer = (incoming, outgoing, body) => {
    setTimeout(() => respondWith(patient)(incoming, outgoing, body), lateMs)
  }
  t.equal((await world.fetch(at('Patient/p1'))).status, 200, 'a slow EHR alone is no end')
})

t.test('a write is not sent after the end; one that was sent is told of', async (t) => {
  const world = await open(t)
  const put = {
    method: 'PUT',
    headers: { ...json, 'if-match': 'W/"3"' },
    body: JSON.stringify(note),
  }
  endsMeanwhile(world, respondWith(note), { kind: 'ended', state: 'ended' })
  t.equal((await world.fetch(at('Observation/o1'), put)).status, 401)
  t.strictSame(
    world.ehr.seen.map(({ method }) => method),
    ['GET'],
    'the stored record was read, and nothing was written',
  )
  world.opening = undefined
  world.ehr.answer = (incoming, outgoing, body) => {
    const answer = respondWith(note)
    if (incoming.method === 'GET') return answer(incoming, outgoing, body)
    world.opening = { kind: 'ended', state: 'ended' }
    setTimeout(() => answer(incoming, outgoing, body), lateMs)
  }
  t.equal((await world.fetch(at('Observation/o1'), put)).status, 200)
  t.match(world.audited.at(-1), { event: 'fhir.written' })
})

t.test('a write without a token was not sent, and is not uncertain', async (t) => {
  const world = await open(t)
  const { tokens } = world.deps
  const plain = { ...tokens }
  let asked = 0
  Object.assign(tokens, {
    current: async (...launch: Parameters<typeof plain.current>) => {
      asked += 1
      if (asked % 2 === 0) throw new SmartBffError('TOKEN_EXPIRED')
      return plain.current(...launch)
    },
  })
  world.ehr.answer = respondWith(note)
  const put = {
    method: 'PUT',
    headers: { ...json, 'if-match': 'W/"3"' },
    body: JSON.stringify(note),
  }
  const answer = await world.fetch(at('Observation/o1'), put)
  t.equal(answer.status, 401)
  t.equal(answer.headers['smart-bff-state'], 'authorization_expired')
  t.match(world.audited.at(-1), { event: 'fhir.refused', reason: 'TOKEN_EXPIRED' })
})

t.test('a stream ends with its launch', async (t) => {
  const world = await open(t)
  world.ehr.answer = respondWith({
    resourceType: 'DocumentReference',
    id: 'd1',
    subject: { reference: 'Patient/p1' },
    content: [{ attachment: { contentType: 'application/pdf', url: 'Binary/b1' } }],
  })
  const [content] = (await world.fetch(at('DocumentReference/d1'))).json().content
  const handle = new URL(content.attachment.url).pathname
  const pdf = { 'content-type': 'application/pdf' }
  endsMeanwhile(world, respondWith('%PDF', 200, pdf), { kind: 'ended', state: 'ended' })
  t.equal((await world.fetch(handle)).status, 401, 'before its first byte')
  world.opening = undefined
  world.ehr.answer = (_, outgoing) => {
    outgoing.writeHead(200, pdf)
    const timer = setInterval(() => outgoing.write('x'.repeat(100)), 20)
    outgoing.once('close', () => clearInterval(timer))
    setTimeout(() => (world.opening = { kind: 'ended', state: 'ended' }), lateMs)
  }
  await t.rejects(world.fetch(handle), 'broken off, and not only short')
  while (world.audited.at(-1)?.event !== 'fhir.aborted') {
    await new Promise((resolve) => setTimeout(resolve, 10))
  }
  t.ok(Number(world.audited.at(-1)?.bytes) > 0)
})
