import t from 'tap'
import type { LaunchTokens } from '../../src/vault/record.ts'
import {
  isDue,
  isUrgent,
  isUsable,
  refusalOf,
  refused,
  renewed,
  saysNothingNew,
} from '../../src/vault/token-rules.ts'
import { exampleRecord } from './example.ts'

const start = 1_000_000

const withTokens = (tokens: Partial<LaunchTokens>) => {
  const record = exampleRecord('L', start)
  return { ...record, tokens: { ...record.tokens, ...tokens } }
}

t.test('a token is due in the last fifth of its life', async (t) => {
  const due: [lifeMs: number, fromMs: number][] = [
    [3_600_000, 2_880_000],
    [60_000, 48_000],
    [1000, 800],
  ]
  for (const [lifeMs, fromMs] of due) {
    const record = withTokens({ accessExpiresAt: start + lifeMs })
    t.equal(isDue(record, start, 0), false, `${lifeMs}: not at once`)
    t.equal(isDue(record, start + fromMs - 1, 0), false)
    t.equal(isDue(record, start + fromMs, 0), true)
    t.equal(isDue(record, start + 10 * lifeMs, 0), true)
  }
})

t.test('it is urgent in the last fifth of its life, 30 seconds at most', async (t) => {
  const record = withTokens({ accessExpiresAt: start + 3_600_000 })
  t.equal(isUrgent(record, start + 3_569_999), false)
  t.equal(isUrgent(record, start + 3_570_000), true)
  const short = withTokens({ accessExpiresAt: start + 1000 })
  t.equal(isUrgent(short, start + 799), false)
  t.equal(isUrgent(short, start + 800), true)
  t.equal(isUrgent(withTokens({ accessExpiresAt: undefined }), start + 1e9), false)
})

t.test('a token of unknown or senseless lifetime is never due', async (t) => {
  for (const accessExpiresAt of [undefined, start, start - 1]) {
    t.equal(isDue(withTokens({ accessExpiresAt }), start + 1e9, 0), false)
  }
})

t.test('without a refresh token it is due only once it has expired', async (t) => {
  const record = withTokens({ refresh: undefined, accessExpiresAt: start + 1000 })
  t.equal(isDue(record, start + 999, 0), false)
  t.equal(isDue(record, start + 1000, 0), true)
})

t.test('the EHR may ask for a pause between two refreshes', async (t) => {
  const record = withTokens({ accessExpiresAt: start + 1000 })
  t.equal(isDue(record, start + 4999, 5000), false)
  t.equal(isDue(record, start + 5000, 5000), true)
})

t.test('usable is what has not expired, or never says so', async (t) => {
  t.equal(isUsable(withTokens({ accessExpiresAt: start + 1 }), start), true)
  t.equal(isUsable(withTokens({ accessExpiresAt: start }), start), false)
  t.equal(isUsable(withTokens({ accessExpiresAt: undefined }), start + 1e9), true)
})

t.test('what the answer does not name stays as it was', async (t) => {
  const record = exampleRecord('L', start)
  const answer = {
    kind: 'refreshed',
    access: 'a1',
    expiresInSeconds: undefined,
    refresh: undefined,
    granted: undefined,
  } as const
  t.strictSame(renewed(record, answer, start + 5), {
    ...record,
    tokens: {
      access: 'a1',
      receivedAt: start + 5,
      accessExpiresAt: undefined,
      refresh: 'refresh-0',
    },
  })
  t.match(
    renewed(record, { ...answer, expiresInSeconds: 60, refresh: 'r1', granted: 'x' }, start),
    {
      scopes: { requested: record.scopes.requested, granted: 'x' },
      tokens: { accessExpiresAt: start + 60_000, refresh: 'r1' },
    },
  )
})

t.test('a refused refresh token is dropped', async (t) => {
  const record = refused(exampleRecord('L', start))
  t.equal(record.state, 'reauth_required')
  t.equal(record.tokens.refresh, undefined)
})

t.test('only the refusal of a new token says that the next one would not help', async (t) => {
  const record = withTokens({ receivedAt: start })
  t.equal(refusalOf(record, false, start + 30_000), undefined, 'its time was over')
  const known = refusalOf(record, false, start + 29_999)
  t.equal(refusalOf(record, true, start + 1), undefined, 'it was taken back')
  t.strictSame(known, { receivedAt: start, until: start + 59_999 })
  t.equal(saysNothingNew(record, known, start + 59_998), true)
  t.equal(saysNothingNew(record, known, start + 59_999), false)
  t.equal(saysNothingNew(record, undefined, start), false)
  t.equal(saysNothingNew(withTokens({ receivedAt: start + 1 }), known, start), false, 'another')
})
