import fc from 'fast-check'
import t from 'tap'
import { createUpstreamUrls } from '../../src/fhir/upstream-url.ts'

/**
 * Plain targets and links are known by their letters, without a URL parser. What passes that way is what the parser
 * would have passed, byte for byte; what a parser would change never does.
 */
const bases = [
  'https://ehr.example/fhir/r4',
  'https://ehr.example/',
  'http://127.0.0.1:8080/a.b/fhir/',
]

const letters =
  '/ . .. // /. /.. ./ %2e %2E%2e %2f %5c \\ %00 % ? # & = ; @ : , | ~ $ ^ ` { } [ ] " < >'
const words =
  '/fhir/r4 /fhir r4 /a.b/fhir Patient p1 _getpages x 0 https: http: :443 :80 user@ r4evil'
const others = [
  "'",
  ' ',
  '\t',
  '\n',
  '\u007f',
  '\u0080',
  'ü',
  '\ud800',
  'EHR.example',
  '127.0.0.1:8080',
]
const pieces = fc.constantFrom(...letters.split(' '), ...words.split(' '), ...others)
const text = fc.array(pieces, { maxLength: 8 }).map((parts) => parts.join(''))

t.test('a target is under the base only as what a URL parser makes of it', (t) => {
  let passed = 0
  for (const iss of bases) {
    const urls = createUpstreamUrls(iss)
    const { origin, prefix } = urls
    fc.assert(
      fc.property(text, fc.boolean(), (end, below) => {
        const target = below ? `${prefix}/${end}` : end
        if (!urls.contains(target)) return
        passed += 1
        const url = new URL(origin + target)
        t.ok(url.origin === origin && url.pathname + url.search === target, target)
        t.notMatch(target.split('?', 1)[0], /%(?:2e|2f|5c|00)|\\|\/\//i)
        t.ok(target === prefix || /^[/?]/.test(target.slice(prefix.length)), target)
      }),
      { numRuns: 3000 },
    )
  }
  t.ok(passed > 500, 'some do pass')
  t.end()
})

t.test('a link leads where a URL parser says, or nowhere', (t) => {
  let passed = 0
  for (const iss of bases) {
    const urls = createUpstreamUrls(iss)
    const { origin, prefix } = urls
    fc.assert(
      fc.property(text, fc.constantFrom(origin, origin + prefix, ''), (end, start) => {
        const link = start + end
        const target = urls.resolveLink(link)
        if (target === undefined || start === '' || !link.startsWith(`${origin}/`)) return
        passed += 1
        const url = new URL(link)
        t.equal(url.origin, origin)
        t.equal(url.pathname + url.search, target)
      }),
      { numRuns: 3000 },
    )
  }
  t.ok(passed > 500, 'some do pass')
  t.end()
})

t.test('what a URL parser would change, or read otherwise than we, is outside', (t) => {
  const urls = createUpstreamUrls('https://ehr.example/fhir/r4')
  const outside = [
    '/fhir/r4/../x',
    '/fhir/r4/./Patient',
    '/fhir/r4/%2e%2e/x',
    '/fhir/r4/.hidden/..',
    '/fhir/r4//Patient',
    '/fhir/r4/a\\b',
    '/fhir/r4/Patient#x',
    "/fhir/r4/Patient?name=O'Brien",
    '/fhir/r4/Patient?a="',
    '/fhir/r4evil/Patient',
    '/fhir/r4/a\tb',
    '/fhir/r4/Patient\n',
  ]
  for (const target of outside) t.notOk(urls.contains(target), target)
  t.equal(urls.resolveLink('https://ehr.example.evil/fhir/r4/Patient'), undefined)
  t.equal(urls.resolveLink('https://ehr.example@evil.example/fhir/r4/Patient'), undefined)
  t.equal(urls.resolveLink('https://ehr.example/fhir/r4?_getpages=1|2'), '/fhir/r4?_getpages=1|2')
  t.end()
})
