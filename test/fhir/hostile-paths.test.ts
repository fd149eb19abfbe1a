import fc from 'fast-check'
import t from 'tap'
import { isRefusal } from '../../src/fhir/decision.ts'
import { createUpstreamUrls } from '../../src/fhir/upstream-url.ts'
import { allow } from '../../src/fhir/steps/allow.ts'
import { bind } from '../../src/fhir/steps/bind.ts'
import { outboundOf } from '../../src/fhir/steps/forward.ts'
import { addForm, parseRequest, splitTarget } from '../../src/fhir/steps/parse.ts'
import { scope } from '../../src/fhir/steps/scope.ts'
import { createWorld, launchId, makeView, respondWith } from './helper.ts'

/** What an attacker may send: whatever gets through lies in bounds, and is bound to the patient in context. */

const urls = createUpstreamUrls('https://ehr.example/fhir/r4')
const view = makeView()

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

function upstreamTarget(method: string, path: string, form: string): string | undefined {
  const target = splitTarget(`/fhir/launch/${path}`)
  if (isRefusal(target)) return undefined
  const parsed = parseRequest(method, target)
  if (isRefusal(parsed) || parsed.kind !== 'request') return undefined
  const request = parsed.body === 'search' ? addForm(parsed.request, form) : parsed.request
  if (isRefusal(request) || request.interaction === 'capabilities') return undefined
  const permit = allow(request, view)
  if (isRefusal(permit)) return undefined
  const covered = scope(permit, view)
  if (isRefusal(covered)) return undefined
  const bound = bind(covered, view)
  if (isRefusal(bound)) return undefined
  const { target: sent, body } = outboundOf(bound.sent, urls)
  return body === undefined ? sent : `${sent}?${body.toString()}`
}

function inBounds(target: string): boolean {
  const url = new URL(`https://ehr.example${target}`)
  if (url.origin !== 'https://ehr.example' || url.pathname + url.search !== target) return false
  const read =
    /^\/fhir\/r4\/(Patient\/p1|(Observation|Encounter|MedicationRequest|Practitioner)\/[A-Za-z0-9.-]{1,64}(\/_history\/[A-Za-z0-9.-]{1,64})?)$/
  if (read.test(target)) return true
  const search =
    /^\/fhir\/r4\/(Patient|Observation|Encounter|MedicationRequest|Practitioner)(\/_search)?$/.exec(
      url.pathname,
    )
  if (search === null) return false
  if (search[1] === 'Practitioner') return true
  const bindings = [...url.searchParams].filter(([name]) => /^(patient|subject|_id)\b/.test(name))
  return bindings.length === 1 && bindings[0]?.[1] === 'p1'
}

t.test('10,000 generated paths and queries reach the EHR only in bounds', (t) => {
  let reached = 0
  const path = fc.tuple(hostile, separators).map(([parts, between]) => parts.join(between))
  const biased = fc.oneof(
    path,
    fc
      .tuple(
        fc.constantFrom(
          'Observation?',
          'Patient?',
          'Observation/',
          'Patient/',
          'Patient/p1/Observation?',
          'Observation/_search?',
        ),
        path,
      )
      .map(([a, b]) => a + b),
  )
  fc.assert(
    fc.property(
      fc.constantFrom('GET', 'POST', 'HEAD', 'PUT'),
      biased,
      path,
      (method, path, form) => {
        const target = upstreamTarget(method, path, form)
        if (target === undefined) return true
        reached += 1
        return urls.contains(target.replace(/\?$/, '')) && inBounds(target)
      },
    ),
    { numRuns: 20_000 },
  )
  t.ok(reached > 50, `${reached} were let through`)
  t.end()
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
