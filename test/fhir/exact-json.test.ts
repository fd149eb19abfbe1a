import fc from 'fast-check'
import t from 'tap'
import { parseExact } from '../../src/fhir/exact-json.ts'

/** What is judged in full is written again: a decimal keeps each of its digits (FHIR R4 datatypes, decimal). */

const again = (text: string): string => JSON.stringify(parseExact(Buffer.from(text)))

t.test('decimals come out as they came in', (t) => {
  for (const number of [
    '12345678.123456781',
    '-90071992.547409931234',
    '1234567.1234567',
    '0.1234567890123456',
    '0.0000001',
    '0.00000015',
    '1.50',
    '100',
    '123456789012345678',
    '1e3',
    '-0',
    '-0.0',
    '0.1',
  ]) {
    t.equal(again(`{"value":${number},"code":"x"}`), `{"value":${number},"code":"x"}`)
    t.equal(
      again(`[${number},"urn:oid:1.2.840.113619.2.62.1",${number}]`),
      `[${number},"urn:oid:1.2.840.113619.2.62.1",${number}]`,
    )
  }
  t.end()
})

t.test('10,000 generated ones', (t) => {
  const digits = (max: number): fc.Arbitrary<string> =>
    fc.stringMatching(/^\d+$/, { maxLength: max }).filter((text) => text.length <= max)
  const whole = digits(20).map((text) => text.replace(/^0+(?=\d)/, ''))
  const number = fc
    .tuple(
      fc.constantFrom('', '-'),
      whole,
      fc.option(digits(20), { nil: undefined }),
      fc.option(fc.integer({ min: -30, max: 30 }), { nil: undefined }),
    )
    .map(([sign, before, after, exponent]) =>
      [
        sign,
        before,
        after === undefined ? '' : `.${after}`,
        exponent === undefined ? '' : `e${exponent}`,
      ].join(''),
    )
  fc.assert(
    fc.property(number, (text) => again(`{"value":${text}}`) === `{"value":${text}}`),
    { numRuns: 10_000 },
  )
  t.pass()
  t.end()
})
