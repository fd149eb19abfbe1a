import fc from 'fast-check'
import t from 'tap'
import { quoted } from '../../src/smart/json.ts'

t.test('a text is quoted as JSON.stringify does it', (t) => {
  fc.assert(
    fc.property(fc.oneof(fc.string(), fc.string({ unit: 'binary' })), (text) => {
      return quoted(text) === JSON.stringify(text)
    }),
    { numRuns: 2000 },
  )
  for (let code = 0; code < 0x300; code += 1) {
    const text = `a${String.fromCharCode(code)}`
    if (quoted(text) !== JSON.stringify(text)) t.fail(String(code))
  }
  t.equal(quoted('\ud800'), String.raw`"\ud800"`)
  t.equal(quoted('a\n'), String.raw`"a\n"`)
  t.end()
})
