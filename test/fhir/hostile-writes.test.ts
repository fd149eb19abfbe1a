import t from 'tap'
import { isRefusal } from '../../src/fhir/decision.ts'
import { decide } from '../../src/fhir/decide.ts'
import { expectationOf } from '../../src/fhir/expectation.ts'
import { emptyRequest } from '../../src/fhir/request.ts'
import { splitBundle } from '../../src/fhir/split-bundle.ts'
import { createUpstreamUrls } from '../../src/fhir/upstream-url.ts'
import { makeWrite } from '../../src/fhir/write/make.ts'
import type { MakeQuestion } from '../../src/fhir/write/make.ts'
import { makeView } from './helper.ts'

/** Another patient, in every spelling and every position of what an app writes: none of it goes out. */

const base = 'https://ehr.example/fhir/r4'
const allow = [
  { feature: 'Notes', resource: 'Observation', interactions: ['create', 'update', 'patch'] },
]
const view = makeView({ mode: { allow } })
const restorer = {
  ours: 'http://localhost:3000/fhir/',
  restore: () => undefined,
  attachments: new Set<string>(),
}
const urls = createUpstreamUrls(base)

function make(question: Partial<MakeQuestion> & { readonly body: Buffer }): string | undefined {
  const interaction = question.interaction ?? 'create'
  const id = interaction === 'create' ? undefined : 'o1'
  const bound = decide({ ...emptyRequest, interaction, resource: 'Observation', id }, view)
  if (isRefusal(bound)) throw new TypeError('the rule permits it')
  const made = makeWrite(
    { interaction, stored: undefined, asked: '3', unversioned: false, siblings: {}, ...question },
    expectationOf(bound, view),
    { restorer, urls },
  )
  return isRefusal(made) ? undefined : Buffer.from(made.body ?? '').toString('utf8')
}

/** As they stand between the quotes of a JSON text. */
const spellings = [
  'Patient/p2',
  '\\u0050atient/p2',
  'Patient\\/p2',
  'Patient/\\u0070\\u0032',
  'patient/p2',
  'PATIENT/p2',
  '\uff30atient/p2',
  '\ufeffPatient/p2',
  ' Patient/p2',
  'Patient/p2 ',
  'Patient/p2\\n',
  'Patient/p1,Patient/p2',
  'Patient/p1/../p2',
  'Patient//p2',
  '/Patient/p2',
  './Patient/p2',
  'Patient/p2/',
  'Patient/p2#x',
  'Patient/p2|1',
  'Patient/p2/_history/1',
  'Patient%2Fp2',
  '%50atient/p2',
  'Patient/p%32',
  'Patient?_id=p2',
  'Patient?identifier=urn:mrn|2',
  'Observation?subject=Patient/p2',
  `${base}/Patient/p2`,
  `${base}//Patient/p2`,
  `${base}/Patient/p2/_history/1`,
  'https://EHR.example/fhir/r4/Patient/p1',
  'https://other.example/fhir/r4/Patient/p1',
  'urn:uuid:61ebe359-bfdc-4613-8bf2-c5e300945f0a',
  'urn:oid:1.2.3',
  '',
] as const
const hole = '@@'
const reference = `{"reference":"${hole}"}`
const own = '"subject":{"reference":"Patient/p1"}'
const positions = [
  `"subject":${reference}`,
  `${own},"performer":[${reference}]`,
  `${own},"performer":[{"reference":"Practitioner/7"},${reference}]`,
  `${own},"focus":[${reference}]`,
  `${own},"extension":[{"url":"x","valueReference":${reference}}]`,
  `${own},"_status":{"extension":[{"url":"x","valueReference":${reference}}]}`,
  `"subject":{"reference":"Patient/p1","_reference":{"extension":[{"valueReference":${reference}}]}}`,
  `${own},"note":[{"authorReference":${reference},"text":"x"}]`,
  `${own},"component":[{"extension":[{"extension":[{"valueReference":${reference}}]}]}]`,
  `${own},"contained":[{"resourceType":"Observation","subject":${reference}}]`,
  `${own},"contained":[{"resourceType":"Organization","extension":[{"valueReference":${reference}}]}]`,
  `${own},"unheard":{"of":[[${reference}]]}`,
  `${own},"__proto__":${reference}`,
  `"subject":{"reference":"Patient/p1"},"subject":${reference}`,
  `"subject":{"reference":"Patient/p1","reference":"${hole}"}`,
]
const record = (inside: string, id = ''): Buffer =>
  Buffer.from(`{"resourceType":"Observation",${id}"status":"final",${inside}}`)
const stored = (): MakeQuestion['stored'] => ({
  bytes: Buffer.from(`{"resourceType":"Observation","id":"o1","status":"final",${own}}`),
  etag: 'W/"3"',
})

t.test('a body with another patient in it is refused, wherever and however', async (t) => {
  for (const position of positions) {
    t.match(make({ body: record(position.replace(hole, 'Patient/p1')) }), /Patient\/p1/, position)
    for (const spelling of spellings) {
      const inside = position.replace(hole, () => spelling)
      t.equal(make({ body: record(inside) }), undefined, inside)
      const update = { interaction: 'update', stored: stored() } as const
      t.equal(make({ ...update, body: record(inside, '"id":"o1",') }), undefined, inside)
    }
  }
})

t.test('a member that stands twice is sent as it was judged', async (t) => {
  const sent = make({ body: record(`"subject":{"reference":"Patient/p2"},${own}`) })
  t.match(sent, 'Patient/p1')
  t.notMatch(sent, 'p2')
  for (const bytes of [
    Buffer.concat([Buffer.from([0xef, 0xbb, 0xbf]), record(own)]),
    Buffer.from(record(own).toString(), 'utf16le'),
    // An overlong slash.
    Buffer.concat([record(own).subarray(0, -3), Buffer.from([0xc0, 0xaf]), Buffer.from('"}}')]),
    Buffer.concat([record(own), record(own)]),
    Buffer.from(record(own).toString().replaceAll('"', "'")),
  ]) {
    t.equal(make({ body: bytes }), undefined)
  }
})

t.test('nor does a patch bring one', async (t) => {
  const paths = ['/subject', '/performer', '/focus', '/extension', '/contained', '/note']
  for (const path of paths) {
    for (const spelling of spellings) {
      for (const op of ['add', 'replace']) {
        const plain = `[{"op":"${op}","path":"${path}","value":[{"valueReference":${reference}}]}]`
        const body = Buffer.from(plain.replace(hole, () => spelling))
        const made = make({ interaction: 'patch', stored: stored(), body })
        t.equal(made, undefined, body.toString())
      }
    }
  }
})

t.test('nor an entry of a bundle, whose own members say nothing', async (t) => {
  for (const spelling of spellings) {
    const entry = `{"fullUrl":"${spelling}","link":[{"url":"${spelling}"}],"response":{"location":"${spelling}"},"resource":${record(own).toString()},"request":{"method":"POST","url":"Observation"}}`
    const text = `{"resourceType":"Bundle","type":"batch","id":"${spelling}","link":[{"url":"${spelling}"}],"entry":[${entry}]}`
    const split = splitBundle(Buffer.from(text))
    if (isRefusal(split)) {
      t.fail(`it is a bundle: ${text}`)
      continue
    }
    const [one] = split.entries
    const body = Buffer.from(one?.body ?? '')
    t.strictSame(JSON.parse(body.toString()), JSON.parse(record(own).toString()))
    t.notMatch(make({ body }), /p2/)
  }
})
