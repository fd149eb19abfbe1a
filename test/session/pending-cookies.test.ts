import t from 'tap'
import {
  clearStalePendingCookies,
  newPendingCookie,
  pendingLifeMs,
  readPendingCookies,
  setPendingCookie,
} from '../../src/session/pending-cookies.ts'

const now = Date.UTC(2030, 0, 1)
const pair = (cookie: { name: string; value: string }): string => `${cookie.name}=${cookie.value}`
const names = (header: string): string[] => readPendingCookies(header).map(({ name }) => name)

t.test('six launches at the same instant choose six names', async (t) => {
  const names = new Set(Array.from({ length: 6 }, () => newPendingCookie(now).name))
  t.equal(names.size, 6)
})

t.test('a pending cookie carries every attribute', async (t) => {
  const cookie = newPendingCookie(now)
  t.match(cookie.name, /^__Host-smart-bff\.tx\.[0-9a-z]{17}$/)
  t.equal(
    setPendingCookie(cookie),
    `${pair(cookie)}; Path=/; Secure; HttpOnly; SameSite=None; Partitioned`,
  )
})

t.test('all pending cookies of a request are read, newest first', async (t) => {
  const cookies = [3, 1, 2].map((minutes) => newPendingCookie(now - minutes * 60_000))
  const header = ['a=b', ...cookies.map(pair), '__Host-smart-bff=x'].join('; ')
  const read = readPendingCookies(header)
  t.same(
    read.map((cookie) => (now - cookie.startedAt) / 60_000),
    [1, 2, 3],
  )
  t.same(readPendingCookies(undefined), [])
  t.same(readPendingCookies('__Host-smart-bff=x'), [])
})

t.test('malformed, doubled and countless cookies do no harm', async (t) => {
  const good = newPendingCookie(now)
  const other = newPendingCookie(now)
  t.same(names(`${good.name}=short; __Host-smart-bff.tx.0=${good.value}; ${good.name}`), [])
  t.same(names(`${pair(good)}; ${good.name}=${other.value}`), [])
  t.same(names(`${pair(good)}; ${pair(good)}`), [good.name])
  t.same(names(`${good.name}=${other.value}; ${pair(good)}; ${good.name}=${other.value}`), [])
  const flood = Array.from({ length: 500 }, () => pair(newPendingCookie(now))).join('; ')
  t.equal(names(flood).length, 128)
})

t.test('pending cookies do not pile up', async (t) => {
  const fresh = Array.from({ length: 5 }, (_, index) => newPendingCookie(now - index))
  const stale = newPendingCookie(now - pendingLifeMs - 1)
  const impossible = newPendingCookie(now + 2 * pendingLifeMs)
  const read = readPendingCookies([impossible, ...fresh, stale].map(pair).join('; '))
  const cleared = clearStalePendingCookies(read, { now, max: 8 })
  t.same(
    cleared.map((line) => line.split('=')[0]),
    [impossible.name, stale.name],
  )
  t.ok(
    cleared.every((line) =>
      line.endsWith('=; Max-Age=0; Path=/; Secure; HttpOnly; SameSite=None; Partitioned'),
    ),
  )
  t.same(
    clearStalePendingCookies(fresh, { now, max: 5 }).map((line) => line.split('=')[0]),
    [fresh[4]?.name],
    'room is made for the one that is about to be set',
  )
})
