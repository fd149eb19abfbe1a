import t from 'tap'
import { createTapStream } from '../support/tap-stream.ts'

const tapOutput = `TAP version 14
1..2
# Subtest: test/a.test.ts
    # Subtest: inner
        ok 1 - fine
        not ok 2 - should be equal
          ---
          compare: ===
          ...
        1..2
    not ok 1 - inner # time=64.003ms
    1..1
    # time=250ms
not ok 1 - test/a.test.ts # time=250ms
  ---
  exitCode: 1
  ...

# Subtest: test/b.test.ts
    ok 1 - fine
    ok 2 - later # SKIP
    1..2
ok 2 - test/b.test.ts # time=1500ms

# { total: 4, pass: 2, fail: 1, skip: 1 }
# time=2118.75ms`

t.test('each file becomes one result, with what failed in it', (t) => {
  const stream = createTapStream()
  const results = tapOutput.split('\n').flatMap((line) => stream.line(line) ?? [])
  t.match(results, [
    { file: 'test/a.test.ts', ok: false, seconds: 0.25 },
    { file: 'test/b.test.ts', ok: true, seconds: 1.5 },
  ])
  t.match(results[0]?.output.join('\n'), /not ok 2 - should be equal\n +---\n +compare/)
  t.notMatch(results[0]?.output.join('\n'), /fine|SKIP/)
  t.same(stream.counts(), { passed: 2, failed: 1, skipped: 1 })
  t.end()
})
