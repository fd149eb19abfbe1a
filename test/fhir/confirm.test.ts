import t from 'tap'
import { createConfirm } from '../../src/fhir/write/confirm.ts'
import { isSamePerson } from '../../src/fhir/write/same-person.ts'
import { hashSession } from '../../src/vault/names.ts'
import { createWorld, launchId, respondWith, sessionId } from './helper.ts'
import type { Answer, World } from './helper.ts'

/** Rules with `confirm`: no write before the patient on the screen was compared with the one in the EHR. */

const patient = {
  resourceType: 'Patient',
  id: 'p1',
  birthDate: '1970-02-03',
  name: [
    { use: 'official', family: 'Ng', given: ['Mei', 'Lin'], prefix: ['Dr.'] },
    { use: 'old', family: 'Wong', given: ['Mei'] },
  ],
}
const shown = { name: 'Ng, Mei Lin', birthDate: '1970-02-03' }
const procedure = { resourceType: 'Procedure', subject: { reference: 'Patient/p1' } }

t.test('who is the same person', (t) => {
  const rows: readonly (readonly [string, string, boolean])[] = [
    ['Mei Lin Ng', '1970-02-03', true],
    ['Ng, Mei Lin', '1970-02-03', true],
    ['Ng Mei Lin', '1970-02-03', true],
    ['Mei Ng', '1970-02-03', true],
    ['Dr. Mei Lin Ng', '1970-02-03', true],
    ['  mei  LIN ng ', '1970-02-03', true],
    ['Mei Lin Ng', '1970-02-04', false],
    ['Mei Lin Ng', '1970', false],
    ['Mei Lin Ng', '', false],
    ['Mei Wong', '1970-02-03', false],
    ['Mei Lin', '1970-02-03', false],
    ['Ng', '1970-02-03', false],
    ['', '1970-02-03', false],
    [' ', '1970-02-03', false],
  ]
  for (const [name, birthDate, same] of rows) {
    t.equal(isSamePerson(patient, { name, birthDate }), same, `${name} ${birthDate}`)
  }
  t.equal(
    isSamePerson({ name: [{ text: 'Zoe\u0308' }] }, { name: 'zo\u00eb', birthDate: '' }),
    true,
  )
  t.equal(isSamePerson({ name: 'x' }, { name: 'x', birthDate: '' }), false)
  t.end()
})

async function open(
  t: { teardown(end: () => Promise<void>): void },
  options = {},
): Promise<{
  world: World
  confirm: (text: object) => Promise<void>
  write: () => Promise<Answer>
}> {
  const allow = [
    { feature: 'Banner', resource: 'Patient', interactions: ['read'] },
    { feature: 'Notes', resource: 'Procedure', interactions: ['create'], confirm: true },
  ]
  const world = await createWorld({ mode: { allow }, ...options })
  t.teardown(() => world.close())
  world.ehr.answer = (incoming, outgoing) =>
    incoming.method === 'GET'
      ? respondWith(patient)(incoming, outgoing, '')
      : respondWith({ ...procedure, id: 'x1' }, 201)(incoming, outgoing, '')
  const confirm = createConfirm(world.deps)
  return {
    world,
    confirm: (text) => {
      const key = { session: hashSession(sessionId), launch: launchId }
      const own = { key, record: world.record, version: 1, idleAt: 0 }
      return confirm(own, { ...shown, ...text }, { incident: 'incident', ip: '127.0.0.1' })
    },
    write: () =>
      world.fetch(`/fhir/${launchId}/Procedure`, {
        method: 'POST',
        headers: { 'content-type': 'application/fhir+json' },
        body: JSON.stringify(procedure),
      }),
  }
}

const posts = (world: World): number =>
  world.ehr.seen.filter(({ method }) => method === 'POST').length

t.test('one confirmation, one write', async (t) => {
  const { world, confirm, write } = await open(t)
  const before = await write()
  t.equal(before.status, 428)
  t.equal(posts(world), 0)
  await confirm({})
  t.match(world.audited.at(-1), { event: 'fhir.confirmed', outcome: 'success', patient: 'p1' })
  t.equal((await write()).status, 201)
  t.equal((await write()).status, 428, 'it is used up')
  t.equal(posts(world), 1)
})

t.test('a stale screen is refused, and takes an earlier confirmation with it', async (t) => {
  const { world, confirm, write } = await open(t)
  await confirm({})
  await t.rejects(confirm({ name: 'Amara Okafor' }), { code: 'FHIR_CONFIRMATION_STALE' })
  t.match(world.audited.at(-1), { event: 'fhir.confirmed', outcome: 'refused' })
  t.equal((await write()).status, 428)
  await t.rejects(confirm({ birthDate: '1970-02-04' }), { code: 'FHIR_CONFIRMATION_STALE' })
  const { ehr } = world
  ehr.answer = respondWith({ ...patient, id: 'p2' })
  await t.rejects(confirm({}), { code: 'FHIR_ANSWER_UNREADABLE' }, 'somebody else came back')
  ehr.answer = respondWith('<Patient/>', 200, { 'content-type': 'text/html' })
  await t.rejects(confirm({}), { code: 'FHIR_ANSWER_UNREADABLE' })
  ehr.answer = respondWith({}, 503)
  await t.rejects(confirm({}), { code: 'FHIR_EHR_UNAVAILABLE' })
  t.equal((await write()).status, 428)
  t.equal(posts(world), 0)
})

t.test('a Patient of more than 1 MiB is judged in the worker, by the same measure', async (t) => {
  const { world, confirm, write } = await open(t)
  let looked = 0
  const inner = world.deps.away.look
  Object.assign(world.deps.away, {
    look: (question: Parameters<typeof inner>[0]) => {
      looked += 1
      return inner(question)
    },
  })
  const photo = [{ data: 'A'.repeat(1_200_000) }]
  world.ehr.answer = (incoming, outgoing) =>
    incoming.method === 'GET'
      ? respondWith({ ...patient, photo })(incoming, outgoing, '')
      : respondWith(procedure, 201)(incoming, outgoing, '')
  await t.rejects(confirm({ name: 'Amara Okafor' }), { code: 'FHIR_CONFIRMATION_STALE' })
  t.equal((await write()).status, 428)
  await confirm({})
  t.not((await write()).status, 428)
  t.equal(looked, 2)
  world.ehr.answer = respondWith({ ...patient, id: 'p2', photo })
  await t.rejects(confirm({}), { code: 'FHIR_ANSWER_UNREADABLE' }, 'somebody else came back')
  t.equal(looked, 3)
})

t.test('not without a rule and a scope for the Patient, nor without a patient', async (t) => {
  const { world, confirm } = await open(t)
  world.record = { ...world.record, scopes: { requested: '', granted: 'patient/Procedure.c' } }
  await t.rejects(confirm({}), { code: 'FHIR_SCOPE_INSUFFICIENT' })
  world.record = { ...world.record, state: 'reauth_required' }
  await t.rejects(confirm({}), { code: 'TOKEN_EXPIRED' })
  const nobody = await open(t, { patient: undefined })
  await t.rejects(nobody.confirm({}), { code: 'FHIR_PATIENT_MISSING' })
  t.equal(world.ehr.seen.length, 0)
})

t.test('a confirmation is of one patient, and of one launch', async (t) => {
  const { world, confirm, write } = await open(t)
  await confirm({})
  world.record = { ...world.record, context: { ...world.record.context, patient: 'p2' } }
  const body = { ...procedure, subject: { reference: 'Patient/p2' } }
  const answer = await world.fetch(`/fhir/${launchId}/Procedure`, {
    method: 'POST',
    headers: { 'content-type': 'application/fhir+json' },
    body: JSON.stringify(body),
  })
  t.equal(answer.status, 428)
  t.equal(posts(world), 0)
  t.equal((await write()).status, 403)
})
