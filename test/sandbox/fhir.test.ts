import t from 'tap'
import { startSandbox } from '../../src/sandbox/sandbox.ts'
import type { FhirAnswer } from './app.ts'
import { fhir, launchApp } from './app.ts'

const sandbox = await startSandbox({ pageSize: 20 })
t.teardown(() => sandbox.close())
const amara = sandbox.patient('amara')
const token = await launchApp(sandbox, 'patient/*.cruds user/*.rs')
const get = (path: string, headers = {}) => fhir(sandbox, token, path, { headers })

type Entry = {
  fullUrl: string
  resource: { resourceType: string; id: string; effectiveDateTime: string }
}

const next = ({ body }: FhirAnswer): string | undefined =>
  body.link.find((link: { relation: string }) => link.relation === 'next')?.url

/** Follows next links to the end and gives the ids in order. */
async function wholeList(first: FhirAnswer): Promise<string[]> {
  const ids: string[] = []
  let page: FhirAnswer | undefined = first
  while (page) {
    ids.push(...page.body.entry.map(({ resource }: Entry) => resource.id))
    const url: string | undefined = next(page)
    page = url === undefined ? undefined : await get(new URL(url, `${sandbox.iss}/`).href)
  }
  return ids
}

t.test('a read has its version headers', async (t) => {
  const answer = await get(`/Patient/${amara.id}`)
  t.equal(answer.headers.get('etag'), 'W/"1"')
  t.ok(answer.headers.get('last-modified'))
  t.match(answer.headers.get('content-type'), /^application\/fhir\+json/)
  const head = await fhir(sandbox, token, `/Patient/${amara.id}`, { method: 'HEAD' })
  t.equal(head.status, 200)
  t.equal(head.text, '')
})

t.test('a search is sorted, counted and has full URLs', async (t) => {
  const answer = await get(`/Observation?patient=${amara.id}&category=vital-signs&_sort=-date`)
  const entries: Entry[] = answer.body.entry
  t.equal(entries.length, 20)
  t.ok(answer.body.total > 300)
  const dates = entries.map(({ resource }) => resource.effectiveDateTime)
  t.same(dates, dates.toSorted().toReversed())
  t.ok(
    entries.every(
      ({ fullUrl, resource }) => fullUrl === `${sandbox.iss}/Observation/${resource.id}`,
    ),
  )
  const pressure = await get(
    `/Observation?patient=${amara.id}&code=http://loinc.org|85354-9&_count=1`,
  )
  t.equal(pressure.body.entry[0].resource.component.length, 2)
  const since = new Date(Date.now() - 30 * 86_400_000).toISOString().slice(0, 10)
  const recent = await get(`/Observation?patient=${amara.id}&date=ge${since}&_count=200`)
  t.ok(recent.body.total > 0 && recent.body.total < 40)
})

t.test('every style of paging gives the whole list once', async (t) => {
  const path = `/Observation?patient=${amara.id}&category=laboratory&_sort=-date`
  const expected = await wholeList(await get(`${path}&_count=200`))
  t.equal(new Set(expected).size, expected.length)
  for (const style of ['offset', 'hapi', 'opaque', 'relative'] as const) {
    sandbox.control.set({ paging: style })
    const first = await get(path)
    const url = next(first) ?? ''
    t.same(await wholeList(first), expected, style)
    if (style === 'hapi' || style === 'opaque') t.notMatch(url, amara.id)
    if (style === 'relative') t.notMatch(url, /^http/)
  }
  sandbox.control.set({ paging: 'foreign' })
  t.match(next(await get(path)), /^http:\/\/other\.invalid\//)
  sandbox.control.set({ paging: 'offset' })
  t.equal((await get('/?_getpages=gone')).status, 410)
})

t.test('POST searches, compartments and $everything', async (t) => {
  const form = { method: 'POST', headers: { 'content-type': 'application/x-www-form-urlencoded' } }
  const body = `patient=${amara.id}&category=laboratory`
  const posted = await fhir(sandbox, token, '/Observation/_search', { ...form, body })
  const plain = await get(`/Observation?${body}`)
  t.equal(posted.body.total, plain.body.total)
  const compartment = await get(`/Patient/${amara.id}/Observation?category=laboratory`)
  t.equal(compartment.body.total, plain.body.total)
  const everything = await get(
    `/Patient/${amara.id}/$everything?_type=Patient,Condition,Organization`,
  )
  const types = new Set(everything.body.entry.map(({ resource }: Entry) => resource.resourceType))
  t.same([...types].map(String).toSorted(), ['Condition', 'Organization', 'Patient'])
  const paged = await get(`/Patient/${amara.id}/$everything?_count=100`)
  t.equal(paged.body.entry.length, 100)
  t.ok(next(paged))
})

t.test('$everything of a chart that refers to what is not there', async (t) => {
  const whole = () => get(`/Patient/${amara.id}/$everything`)
  const before = await whole()
  const body = {
    resourceType: 'Condition',
    subject: { reference: `Patient/${amara.id}` },
    asserter: { reference: 'Practitioner/gone' },
  }
  const made = await fhir(sandbox, token, '/Condition', { method: 'POST', body })
  t.equal(made.status, 201)
  const after = await whole()
  t.equal(after.status, 200)
  t.equal(after.body.total, before.body.total + 1)
  const path = `/Condition/${made.body.id}`
  t.equal((await fhir(sandbox, token, path, { method: 'DELETE' })).status, 200)
  t.equal((await whole()).body.total, before.body.total)
})

t.test('_include, _elements and _summary', async (t) => {
  const bart = sandbox.patient('bart')
  const included = await get(
    `/MedicationRequest?patient=${bart.id}&_include=MedicationRequest:medication`,
  )
  const modes = included.body.entry.map((one: { search: { mode: string } }) => one.search.mode)
  t.ok(modes.includes('include'))
  const few = await get(`/Condition?patient=${amara.id}&_elements=code`)
  t.same(Object.keys(few.body.entry[0].resource).toSorted(), ['code', 'id', 'meta', 'resourceType'])
  t.equal((await get(`/Condition?patient=${amara.id}&_summary=count`)).body.entry.length, 0)
})

t.test('a Binary is raw for a viewer and JSON for FHIR', async (t) => {
  const documents = await get(`/DocumentReference?patient=${amara.id}`)
  for (const { resource } of documents.body.entry) {
    const { url, contentType } = resource.content[0].attachment
    const raw = await fetch(`${sandbox.iss}/${url}`, {
      headers: { authorization: `Bearer ${token.access_token}`, accept: contentType },
    })
    t.equal(raw.headers.get('content-type'), contentType)
    const start = Buffer.from(await raw.arrayBuffer())
      .subarray(0, 5)
      .toString('latin1')
    t.ok(start === '%PDF-' || start.slice(1, 4) === 'PNG')
    const wrapped = await get(`/${url}`, { accept: 'application/fhir+json' })
    t.equal(wrapped.body.resourceType, 'Binary')
  }
  t.equal(documents.body.total, 2)
})

const note = (text: string) => ({
  resourceType: 'Observation',
  status: 'preliminary',
  code: { text },
  subject: { reference: `Patient/${amara.id}` },
})

t.test('writes keep versions: create, update, patch, delete, history', async (t) => {
  const created = await fhir(sandbox, token, '/Observation', { method: 'POST', body: note('one') })
  t.equal(created.status, 201)
  const { id } = created.body
  const version = created.headers.get('etag') ?? ''
  t.match(created.headers.get('location'), `${sandbox.iss}/Observation/${id}/_history/`)
  const put = (body: unknown, headers = {}) =>
    fhir(sandbox, token, `/Observation/${id}`, { method: 'PUT', body, headers })
  const changed = { ...note('two'), id }
  t.equal((await put(changed, { 'if-match': 'W/"stale"' })).status, 412)
  t.equal((await put(changed, { 'if-match': 'unquoted' })).status, 400)
  t.equal((await put(changed, { 'if-none-match': '*' })).status, 412)
  const updated = await put(changed, { 'if-match': version })
  t.equal(updated.status, 200)
  t.not(updated.headers.get('etag'), version)
  t.equal((await put({ ...changed, subject: { reference: 'Patient/x' } })).status, 400)
  const patched = await fhir(sandbox, token, `/Observation/${id}`, {
    method: 'PATCH',
    headers: { 'content-type': 'application/json-patch+json' },
    body: [{ op: 'replace', path: '/status', value: 'final' }],
  })
  t.equal(patched.body.status, 'final')
  for (let read = 0; read < 2; read += 1) {
    const history = await get(`/Observation/${id}/_history`)
    t.same(
      history.body.entry.map(
        (one: { resource: { code: { text: string } } }) => one.resource.code.text,
      ),
      ['two', 'two', 'one'],
      'newest first, at every call',
    )
  }
  const old = await get(`/Observation/${id}/_history/${version.slice(3, -1)}`)
  t.equal(old.body.code.text, 'one')
  t.equal((await fhir(sandbox, token, `/Observation/${id}`, { method: 'DELETE' })).status, 200)
  t.equal((await get(`/Observation/${id}`)).status, 410)
})

t.test('a transaction is all or nothing; a batch is one by one', async (t) => {
  const entry = (resource: object) => ({
    resource,
    request: { method: 'POST', url: 'Observation' },
  })
  const foreign = { ...note('x'), subject: { reference: `Patient/${sandbox.patient('bart').id}` } }
  const bundle = (type: string, text: string) => ({
    resourceType: 'Bundle',
    type,
    entry: [entry(note(text)), entry({ ...foreign, code: { text } })],
  })
  const count = async (text: string) => {
    const all = await get(`/Observation?patient=${amara.id}&status=preliminary&_count=200`)
    return all.body.entry.filter(
      (one: { resource: { code: { text: string } } }) => one.resource.code.text === text,
    ).length
  }
  const send = (body: unknown) => fhir(sandbox, token, '/', { method: 'POST', body })
  t.equal((await send(bundle('transaction', 'together'))).status, 403)
  t.equal(await count('together'), 0)
  const batch = await send(bundle('batch', 'apart'))
  t.same(
    batch.body.entry.map((one: { response: { status: string } }) => one.response.status),
    ['201', '403'],
  )
  t.equal(await count('apart'), 1)
})

t.test('what is not understood is an OperationOutcome', async (t) => {
  const cases: [string, number][] = [
    ['/Nonsense/1', 404],
    [`/Patient/${amara.id}/$unknown`, 404],
  ]
  for (const [path, status] of cases) {
    const answer = await get(path)
    t.equal(answer.status, status, path)
    t.equal(answer.body.resourceType, 'OperationOutcome')
  }
  const broken = await fhir(sandbox, token, '/Observation', { method: 'POST', body: '{' })
  t.equal(broken.status, 400)
})
