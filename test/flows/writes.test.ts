import t from 'tap'
import { startHospital } from '../support/hospital.ts'

/** Writes through the whole product to the sandbox EHR: what the app shows, what the chart then holds, what the audit says. */

const hospital = await startHospital({
  mode: {
    scopes: ['launch', 'openid', 'fhirUser', 'patient/Patient.rs', 'patient/Observation.cruds'],
    allow: [
      { feature: 'Patient banner', resource: 'Patient', interactions: ['read'] },
      {
        feature: 'Weights',
        resource: 'Observation',
        interactions: ['read', 'search-type', 'create', 'update', 'patch', 'delete'],
        search: ['code', '_count'],
        confirm: true,
        upsert: true,
      },
    ],
  },
  tenant: { upstream: { timeoutMs: 2000 } },
})
t.teardown(() => hospital.close())
const amara = hospital.sandbox.patient('amara')
const browser = hospital.browser()
const { launch } = await browser.launch({ patient: amara.id })
const base = `/fhir/${launch}`

interface Told {
  readonly status: number
  readonly state: string | null
  readonly headers: Headers
  // oxlint-disable-next-line typescript/no-explicit-any
  readonly body: any
}

async function ask(method: string, path: string, body?: unknown, headers = {}): Promise<Told> {
  const response = await browser.fetch(path.startsWith('/') ? path : `${base}/${path}`, {
    method,
    headers: {
      origin: hospital.publicUrl,
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      ...headers,
    },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  })
  const text = await response.text()
  const state = response.headers.get('smart-bff-state')
  const parsed: unknown = text === '' ? undefined : JSON.parse(text)
  return { status: response.status, state, headers: response.headers, body: parsed }
}

const patient = (await ask('GET', `Patient/${amara.id}`)).body
const [{ family, given }] = patient.name
const shown = { name: `${given.join(' ')} ${family}`, birthDate: patient.birthDate }
const confirm = (text: object): Promise<Told> => ask('POST', `/launches/${launch}/confirm`, text)
const weight = (kilograms: number): object => ({
  resourceType: 'Observation',
  status: 'final',
  code: { coding: [{ system: 'http://loinc.org', code: '29463-7' }] },
  subject: { reference: `Patient/${amara.id}` },
  valueQuantity: { value: kilograms, unit: 'kg' },
})
const inChart = async (id: string): Promise<Told> => ask('GET', `Observation/${id}`)
const faults = hospital.sandbox.control

t.test('confirm: the screen must show the patient that the EHR has', async (t) => {
  t.equal((await ask('POST', 'Observation', weight(70))).status, 428)
  t.equal((await confirm({ ...shown, name: 'Somebody Else' })).status, 409)
  t.equal((await confirm({ ...shown, birthDate: '1900-01-01' })).state, 'write_conflict')
  for (const text of [{}, { name: 'x' }, { ...shown, extra: 1 }, { name: 1, birthDate: 2 }]) {
    t.equal((await confirm(text)).status, 400, JSON.stringify(text))
  }
  t.equal((await ask('POST', '/launches/another-launch-0123/confirm', shown)).status, 401)
  t.equal((await ask('POST', 'Observation', weight(70))).status, 428)
  t.equal((await confirm(shown)).status, 204)
  t.equal((await ask('POST', 'Observation', weight(70))).status, 201)
  t.equal((await ask('POST', 'Observation', weight(70))).status, 428, 'one write for one look')
})

t.test('the version that was shown is the version that is changed', async (t) => {
  await confirm(shown)
  const created = await ask('POST', 'Observation', weight(71))
  const { id } = created.body
  const etag = created.headers.get('etag') ?? ''
  t.match(created.headers.get('location'), `${hospital.publicUrl}${base}/Observation/${id}`)
  const next = { ...weight(72), id }
  t.equal((await ask('PUT', `Observation/${id}`, next)).status, 428, 'without If-Match')
  await confirm(shown)
  const updated = await ask('PUT', `Observation/${id}`, next, { 'if-match': etag })
  t.equal(updated.status, 200)
  await confirm(shown)
  const stale = await ask('PUT', `Observation/${id}`, next, { 'if-match': etag })
  t.equal(stale.state, 'write_conflict')
  t.match(stale.body.issue[0].details.text, /changed in the EHR meanwhile\. Nothing was saved/)
  const patch = [{ op: 'replace', path: '/valueQuantity/value', value: 73 }]
  const type = { 'content-type': 'application/json-patch+json' }
  const version = { 'if-match': updated.headers.get('etag') ?? '' }
  const patched = await ask('PATCH', `Observation/${id}`, patch, { ...type, ...version })
  t.equal(patched.status, 200)
  t.equal((await inChart(id)).body.valueQuantity.value, 73)
  await confirm(shown)
  const last = { 'if-match': patched.headers.get('etag') ?? '' }
  t.ok([200, 204].includes((await ask('DELETE', `Observation/${id}`, undefined, last)).status))
  t.equal((await inChart(id)).body.resourceType, 'OperationOutcome')
})

t.test('an update that creates replaces nothing that is there after all', async (t) => {
  const named = { ...weight(74), id: 'weight-of-today' }
  await confirm(shown)
  // Some EHRs say 200 to an update that creates (fhir-access-and-audit.md 5); the sandbox is one of them.
  t.equal((await ask('PUT', `Observation/${named.id}`, named)).status, 200)
  t.equal((await inChart(named.id)).body.valueQuantity.value, 74)
  const again = { ...named, valueQuantity: { value: 75, unit: 'kg' } }
  t.equal((await ask('PUT', `Observation/${named.id}`, again)).status, 428, 'which version?')
  await confirm(shown)
  // As if it had come only after the look at it.
  const look = { method: 'GET', path: named.id }
  faults.setFaults([{ where: 'fhir', match: look, times: 1, kind: 'status', status: 404 }])
  const late = await ask('PUT', `Observation/${named.id}`, again)
  t.strictSame([late.status, late.state], [412, 'write_conflict'])
  t.equal((await inChart(named.id)).body.valueQuantity.value, 74)
})

t.test('lost after sending: uncertain, and a later read shows which it was', async (t) => {
  await confirm(shown)
  const created = await ask('POST', 'Observation', weight(80))
  const { id } = created.body
  const etag = created.headers.get('etag') ?? ''
  const change = async (kilograms: number): Promise<Told> => {
    await confirm(shown)
    return ask('PUT', `Observation/${id}`, { ...weight(kilograms), id }, { 'if-match': etag })
  }
  // Nothing was done: the connection was cut before.
  faults.setFaults([{ where: 'fhir', match: { method: 'PUT' }, kind: 'reset' }])
  const before = await change(81)
  t.equal(before.state, 'write_uncertain')
  t.match(before.body.issue[0].details.text, 'Check the chart before repeating')
  faults.setFaults([])
  const unchanged = await inChart(id)
  t.equal(unchanged.body.valueQuantity.value, 80)
  t.equal(unchanged.headers.get('etag'), etag, 'the version that was shown: it may be repeated')
  // It was done, and the answer was lost: cut, or too late.
  faults.setFaults([
    { where: 'fhir', match: { method: 'PUT' }, kind: 'delay-after', delayMs: 2500 },
  ])
  const late = await change(82)
  t.equal(late.status, 504)
  t.equal(late.state, 'write_uncertain')
  faults.setFaults([])
  const changed = await inChart(id)
  t.equal(changed.body.valueQuantity.value, 82)
  t.not(changed.headers.get('etag'), etag, 'another version: it was saved')
  t.equal((await change(83)).state, 'write_conflict', 'a repeat of the old version is refused')
  t.equal((await inChart(id)).body.valueQuantity.value, 82)
})

t.test('a create that was lost is not made twice under one key', async (t) => {
  const count = async (): Promise<number> =>
    (await ask('GET', 'Observation?code=29463-7&_count=200')).body.total
  const earlier = await count()
  const key = { 'idempotency-key': '"5f1d7a3e"' }
  faults.setFaults([{ where: 'fhir', match: { method: 'POST' }, kind: 'reset-after' }])
  await confirm(shown)
  t.equal((await ask('POST', 'Observation', weight(90), key)).state, 'write_uncertain')
  faults.setFaults([])
  await confirm(shown)
  t.equal((await ask('POST', 'Observation', weight(90), key)).state, 'write_uncertain')
  t.equal(await count(), earlier + 1, 'the later read shows that it was saved, once')
})

t.test('the audit has an intent before and an outcome after, each with the record', async (t) => {
  const lines = await hospital.audit()
  const events = lines.map(({ event }) => event)
  t.ok(events.includes('fhir.confirmed'))
  const writes = lines.filter(({ event }) =>
    ['fhir.intended', 'fhir.written', 'fhir.uncertain'].includes(String(event)),
  )
  for (const [index, line] of writes.entries()) {
    if (line['event'] !== 'fhir.intended') continue
    const outcome = lines.find(
      (one) => one['request'] === line['request'] && one['event'] !== 'fhir.intended',
    )
    t.ok(outcome, `${index}: an outcome`)
    t.ok(Number(outcome?.['seq']) > Number(line['seq']), `${index}: after the intent`)
  }
  const written = writes.filter(({ event }) => event === 'fhir.written')
  t.ok(written.length >= 5)
  for (const line of written) t.match(line['resource'], /^Observation\/[a-z0-9]+\..+/)
  const text = await hospital.auditText()
  for (const secret of [amara.id, family, patient.birthDate]) t.notMatch(text, secret)
})
