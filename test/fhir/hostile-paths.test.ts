import fc from 'fast-check'
import { connect } from 'node:net'
import t from 'tap'
import { decide } from '../../src/fhir/decide.ts'
import { isRefusal } from '../../src/fhir/decision.ts'
import { isWrite } from '../../src/smart/interactions.ts'
import { outboundOf } from '../../src/fhir/steps/forward.ts'
import { printQuery } from '../../src/fhir/request.ts'
import { addForm, parseRequest, splitTarget } from '../../src/fhir/steps/parse.ts'
import { createUpstreamUrls } from '../../src/fhir/upstream-url.ts'
import { createWorld, launchId, makeView, respondWith } from './helper.ts'

/** What an attacker may send: whatever gets through lies in bounds, and is bound to the patient in context. */

const urls = createUpstreamUrls('https://ehr.example/fhir/r4')
const interactions = ['read', 'vread', 'history-instance', 'history-type', 'search-type']
const patientTypes = ['Patient', 'Observation', 'Encounter', 'MedicationRequest', 'Coverage']
/** Rules as wide as they can be written: the bounds must hold all the same. */
const mode = {
  allow: [
    ...[...patientTypes, 'Practitioner', 'Binary', 'Group'].map((resource) => ({
      feature: resource,
      resource,
      interactions: [...interactions, 'create', 'update', 'patch', 'delete'],
      search: [
        'code',
        '_id',
        'patient',
        'subject',
        'performer',
        'focus',
        'beneficiary',
        'name',
        'patient:not',
        'subject:Patient',
        'code:not',
        'patient:missing',
        'patient:identifier',
        '_has',
        '_filter',
        '_type',
        '_method',
        '_count',
        '_sort',
        '_elements',
        '_summary',
      ],
      include: ['Observation:subject', 'Observation:performer', 'Coverage:subscriber'],
    })),
    { feature: 'Record', operation: 'Patient/$everything', parameters: ['_count', 'patient'] },
    { feature: 'Latest', operation: 'Observation/$lastn', parameters: ['code', 'patient'] },
  ],
}
const view = makeView({ mode })
const methods = fc.constantFrom('GET', 'POST', 'HEAD', 'PUT', 'PATCH', 'DELETE')

const pieces = fc.constantFrom(
  'Patient',
  'Observation',
  'p1',
  'p2',
  'o1',
  '_history',
  '_search',
  '$everything',
  '%24everything',
  '..',
  '.',
  '%2e%2e',
  '%2E',
  '//',
  '/',
  '\\',
  '%5c',
  '%2f',
  '%00',
  ';a=b',
  '?',
  '&',
  '=',
  '#',
  'patient',
  'subject',
  '_page',
  '*',
  '@evil',
  'http://evil.example/',
  '%zz',
  '%c0%ae',
  'é',
  ' ',
  '\t',
  '',
  '_id',
  'code',
  'Patient/p2',
  ':not',
  '.name',
  '_has:',
)
const hostile = fc.array(
  fc.oneof({ weight: 6, arbitrary: pieces }, { weight: 1, arbitrary: fc.string({ maxLength: 5 }) }),
  {
    maxLength: 12,
  },
)
const separators = fc.constantFrom('/', '', '&', '=', '?')

/** What would be sent; undefined where nothing is. */
function upstreamTarget(method: string, path: string, form: string): string | undefined {
  const target = splitTarget(`/fhir/launch/${path}`)
  if (isRefusal(target)) return undefined
  const parsed = parseRequest(method, target)
  if (isRefusal(parsed) || parsed.kind !== 'request') return undefined
  const request = parsed.body === 'search' ? addForm(parsed.request, form) : parsed.request
  if (isRefusal(request)) return undefined
  // Writes take no parameters, nor do operations by POST; their bodies are judged in write.test.ts and operations.test.ts.
  const writes = isWrite(request.interaction)
  const posted = parsed.body === 'parameters'
  if ((writes || posted) && request.parameters.length > 0) return undefined
  const bound = decide(request, view)
  if (isRefusal(bound)) return undefined
  if (writes) return `write ${urls.target(bound.sent)}`
  const { target: sent, body } = outboundOf(bound.sent, urls)
  const asked = posted ? printQuery(bound.sent.parameters) : (body?.toString() ?? '')
  return asked === '' ? sent : `${sent}?${asked}`
}

const id = '[A-Za-z0-9.-]{1,64}'
const about = patientTypes.slice(1).join('|')
const instance = new RegExp(
  `^/fhir/r4/(metadata|Patient/p1|(${about}|Practitioner|Group)/${id})(/_history(/${id})?|/\\$everything)?$`,
)
const search = new RegExp(
  `^/fhir/r4/(Patient|${about}|Practitioner)(/_search|/\\$lastn|/_history)?$`,
)
const written = new RegExp(`^/fhir/r4/(Patient(/p1)?|(${about}|Practitioner|Group)(/${id})?)$`)
const bindings: Readonly<Record<string, RegExp>> = {
  Patient: /^_id$/,
  Coverage: /^(patient|beneficiary)(:|\.|$)/,
}

/** Under the base, one spelling, no foreign record by id, and a search about the patient in context, once. */
function inBounds(target: string): boolean {
  if (target.startsWith('write ')) return written.test(target.slice(6))
  const url = new URL(`https://ehr.example${target}`)
  if (url.origin !== 'https://ehr.example' || url.pathname + url.search !== target) return false
  const names = [...url.searchParams.keys()]
  if (names.some((name) => /^(_has|_filter|_type|_method)\b|\./.test(name))) return false
  const values = [...url.searchParams.values()]
  if (values.some((value) => /(^|[,/])Patient\/(?!p1\b)/.test(value))) return false
  if (instance.test(url.pathname)) return true
  const [, type = ''] = search.exec(url.pathname) ?? []
  if (type === '') return false
  if (type === 'Practitioner') return true
  const binding = bindings[type] ?? /^(patient|subject)(:|\.|$)/
  const bound = [...url.searchParams].filter(([name]) => binding.test(name))
  return bound.length === 1 && bound[0]?.[1] === 'p1'
}

const runs = 10_000

function assertBounds(lines: fc.Arbitrary<readonly [string, string, string]>): number {
  let reached = 0
  fc.assert(
    fc.property(lines, ([method, path, form]) => {
      const target = upstreamTarget(method, path, form)
      if (target === undefined) return true
      reached += 1
      return urls.contains(target.replace(/^write |\?$/g, '')) && inBounds(target)
    }),
    { numRuns: runs },
  )
  return reached
}

const path = fc.tuple(hostile, separators).map(([parts, between]) => parts.join(between))
const begun = fc
  .tuple(
    fc.constantFrom('Observation/', 'Patient/', 'Patient/p1/', 'Coverage/c1/', 'Practitioner/'),
    path,
  )
  .map(([start, rest]) => start + rest)
const hostilePath = fc.oneof(path, begun)

t.test('10,000 generated paths', (t) => {
  const reached = assertBounds(fc.tuple(methods, hostilePath, path))
  t.ok(reached > 20, `${reached} were let through`)
  t.end()
})

const name = fc.constantFrom(
  'patient',
  'subject',
  'pat%69ent',
  'subject:Patient',
  'patient:not',
  'patient:missing',
  '_id',
  '_i%64',
  'beneficiary',
  'performer',
  'focus',
  'code',
  'code:not',
  '_elements',
  '_has:Observation:patient:code',
  'patient.name',
  '_include',
  '_revinclude',
  '_include:iterate',
  '_filter',
  '_type',
  '_method',
  '_count',
  '_sort',
  '__proto__',
  '',
  '_summary',
  'patient%00',
)
const value = fc.oneof(
  fc.constantFrom(
    'p1',
    'p2',
    'Patient/p1',
    'Patient/p2',
    'p1,p2',
    'Patient%2Fp2',
    'Patient/p1/_history/1',
    'https://ehr.example/fhir/r4/Patient/p2',
    'urn:uuid:p2',
    '#p2',
    '',
    'p1%00',
    'p1%26patient=p2',
    '*',
    'Observation:subject',
    'Coverage:subscriber',
    'true',
    'code,status',
    'p1%2Cp2',
    'p%31',
  ),
  fc.string({ maxLength: 6 }),
)
const query = fc
  .array(fc.tuple(name, value), { maxLength: 5 })
  .map((pairs) => pairs.map(([left, right]) => `${left}=${right}`).join('&'))
const hostileQuery = fc
  .tuple(
    fc.constantFrom(
      'Observation?',
      'Patient?',
      'Coverage?',
      'Patient/p1/Observation?',
      'Observation/_search?',
      'Observation/$lastn?',
      'Patient/p1/$everything?',
      'Observation/o1?',
      'Practitioner?',
    ),
    query,
  )
  .map((parts) => parts.join(''))

t.test('10,000 generated queries', (t) => {
  const reached = assertBounds(fc.tuple(methods, hostileQuery, query))
  t.ok(reached > 200, `${reached} were let through`)
  t.end()
})

t.test('the same over sockets: what the EHR sees lies in bounds', async (t) => {
  const world = await createWorld({ mode })
  t.teardown(() => world.close())
  world.ehr.answer = respondWith({ resourceType: 'Bundle', type: 'searchset' })
  const lines = fc.sample(fc.tuple(methods, fc.oneof(hostilePath, hostileQuery)), 1500)
  const { port } = new URL(world.ours)
  const one = (method: string, path: string): Promise<string> =>
    new Promise((resolve, reject) => {
      const socket = connect(Number(port), '127.0.0.1')
      let text = ''
      socket.on('data', (chunk) => (text += chunk.toString('latin1')))
      socket.once('error', reject)
      socket.once('close', () => resolve(text))
      const head = `host: x\r\nsmart-bff: 1\r\nconnection: close\r\ncookie: ${world.cookie}`
      socket.write(
        Buffer.from(`${method} /fhir/${launchId}/${path} HTTP/1.1\r\n${head}\r\n\r\n`, 'latin1'),
      )
    })
  for (let at = 0; at < lines.length; at += 20) {
    const answers = lines.slice(at, at + 20).map(([method, path]) => one(method, path))
    for (const answer of await Promise.all(answers)) {
      if (!answer.startsWith('HTTP/1.1 ')) t.fail(`no answer: ${answer}`)
    }
  }
  const strays = world.ehr.seen.filter(({ url }) => !inBounds(url))
  t.strictSame(strays, [])
  t.ok(world.ehr.seen.length > 20, `${world.ehr.seen.length} of ${lines.length} were let through`)
  t.ok(world.ehr.seen.every(({ method }) => method === 'GET'))
  t.equal(world.faults.length, 0, 'and nothing fell over')
})

t.test('over a socket: raw bytes a browser would never send', async (t) => {
  const world = await createWorld()
  t.teardown(() => world.close())
  world.ehr.answer = respondWith({ resourceType: 'Patient', id: 'p1' })
  const at = (path: string): string => `/fhir/${launchId}${path}`
  const paths = [
    '/../launches',
    '/Patient/../Patient/p1',
    '/Patient/./p1',
    '/%2e%2e/x',
    '/Patient/%2e%2e/p1',
    '//Patient/p1',
    '/Patient//p1',
    '/Patient/p1/',
    '/Patient\\p1',
    '/Patient/p%31',
    '/Patient%2fp1',
    '/Patient/p1%00',
    '/Patient/p1;x=y',
    '/Patient/p1#x',
    '/patient/p1',
    '/Patient/p1/%5f',
    '/Patient/..',
    '/Patient/.',
    '/Patient/p1?',
    `/Patient/${'p'.repeat(65)}`,
    '/@evil.example/Patient',
    '/http://evil.example/Patient',
    '/Patient/p1/_history/../1',
    '/$',
    '/%24',
    '/%2524everything',
  ]
  for (const path of paths) {
    const answer = await world.fetch(at(path))
    const expected = path === '/Patient/p1?' ? 200 : 400
    t.equal(answer.status, expected, path)
  }
  t.equal(world.ehr.seen.length, 1)
  t.ok(world.audited.every((event) => event.event !== undefined && event.request !== undefined))
  t.equal(world.audited.length, paths.length, 'each left a record')
  const withBody = await world.fetch(at('/Patient/p1'), {
    body: 'x',
    headers: { 'content-length': '1' },
  })
  t.equal(withBody.status, 400, 'a GET with a body')
  const wrongType = await world.fetch(at('/Observation/_search'), {
    method: 'POST',
    body: '{}',
    headers: { 'content-type': 'application/json' },
  })
  t.equal(wrongType.status, 400)
  const large = await world.fetch(at('/Observation/_search'), {
    method: 'POST',
    body: `code=${'x'.repeat(70_000)}`,
    headers: { 'content-type': 'application/x-www-form-urlencoded' },
  })
  t.equal(large.status, 413)
})

t.test('a query is spelled one way, whether or not there is something in it to encode', (t) => {
  const spell = (text: string): string =>
    encodeURIComponent(text)
      .replaceAll("'", '%27')
      .replaceAll('%3A', ':')
      .replaceAll('%2C', ',')
      .replaceAll('%2F', '/')
  fc.assert(
    fc.property(fc.string(), (value) => {
      const query = printQuery([{ name: 'code', modifier: 'in', value }])
      return query === `code:in=${spell(value)}`
    }),
    { numRuns: 2000 },
  )
  for (let code = 0; code < 0x100; code += 1) {
    const value = String.fromCharCode(code)
    t.equal(printQuery([{ name: 'x', modifier: '', value }]), `x=${spell(value)}`)
  }
  t.end()
})
