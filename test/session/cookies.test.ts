import { randomBytes } from 'node:crypto'
import t from 'tap'
import { hashSession } from '../../src/vault/names.ts'
import { Secret } from '../../src/config/secret.ts'
import {
  clearCookie,
  clearUnpartitioned,
  createSessionCookies,
  isOwnSetCookie,
  newSessionId,
  sessionCookieName,
} from '../../src/session/cookies.ts'

const secret = (): Secret => new Secret(randomBytes(32).toString('base64url'))
const [older, newer, strange] = [secret(), secret(), secret()]
const cookies = createSessionCookies({ secrets: [newer, older] })
const header = (...values: string[]): string =>
  values.map((value) => `${sessionCookieName}=${value}`).join('; ')

t.test('a signed id is read back, wherever it stands in the header', async (t) => {
  const id = newSessionId()
  const value = cookies.sign(id)
  t.equal(cookies.read(header(value)), id)
  t.equal(cookies.read(`a=b; ${header(value)}; c=d`), id)
  t.equal(cookies.read(`${header(value)};x=${'y'.repeat(6000)}`), id)
  t.equal(cookies.read(undefined), undefined)
  t.equal(cookies.read(''), undefined)
})

t.test('a header that is known says what it said, and none says what another did', async (t) => {
  const [first, second] = [newSessionId(), newSessionId()]
  const both = header(cookies.sign(first), cookies.sign(second))
  for (let n = 0; n < 2; n += 1) {
    t.equal(cookies.read(header(cookies.sign(first))), first)
    t.equal(cookies.read(header(cookies.sign(second))), second)
    t.match(cookies.inspect(both), { kind: 'ambiguous' })
    t.equal(cookies.read(`${header(cookies.sign(first))}x`), undefined)
  }
  for (let n = 0; n < 2500; n += 1) cookies.read(`n=${String(n)}; ${header(cookies.sign(first))}`)
  t.equal(cookies.read(header(cookies.sign(second))), second, 'after more than are kept')
  // Signed under a secret that only the other knows.
  t.equal(createSessionCookies({ secrets: [strange] }).read(header(cookies.sign(first))), undefined)
})

t.test('every attribute stands on the cookie, and on its clearing', async (t) => {
  const id = newSessionId()
  t.equal(
    cookies.set(id),
    `__Host-smart-bff=${cookies.sign(id)}; Path=/; Secure; HttpOnly; SameSite=None; Partitioned`,
  )
  t.ok(cookies.set(id).length < 200, 'and it is small')
  t.equal(
    clearCookie(sessionCookieName),
    '__Host-smart-bff=; Max-Age=0; Path=/; Secure; HttpOnly; SameSite=None; Partitioned',
  )
})

t.test('only lines of our own making are known as ours', async (t) => {
  t.ok(isOwnSetCookie(cookies.set(newSessionId())))
  t.ok(isOwnSetCookie(clearCookie('x')))
  t.ok(isOwnSetCookie(clearUnpartitioned('x')))
  t.notOk(isOwnSetCookie('__Host-smart-bff=x; Path=/; Secure; HttpOnly; SameSite=None'))
  t.notOk(isOwnSetCookie('__Host-smart-bff=; Max-Age=0; Path=/; SameSite=Lax'))
  t.notOk(
    isOwnSetCookie('__Host-smart-bff=x; Path=/; HttpOnly; Secure; Partitioned; SameSite=None'),
  )
})

t.test('a forged, truncated, foreign or oversized cookie is no session', async (t) => {
  const id = newSessionId()
  const value = cookies.sign(id)
  const foreign = createSessionCookies({ secrets: [strange] }).sign(id)
  const last = value.endsWith('A') ? 'B' : 'A'
  const bad = [
    foreign,
    value.slice(0, -1),
    value.slice(0, -1) + last,
    `${value}A`,
    value.replace('.', ''),
    id,
    `${id}.`,
    '',
    `"${value}"`,
    encodeURIComponent(`${value} `),
    'A'.repeat(8000),
    `${'é'.repeat(43)}.${'é'.repeat(43)}`,
    `${newSessionId()}.${value.slice(44)}`,
  ]
  for (const one of bad) {
    t.equal(cookies.read(header(one)), undefined, one.slice(0, 20))
    t.equal(cookies.inspect(header(one)).kind, 'invalid')
  }
})

t.test('a cookie of another name is not the session', async (t) => {
  const value = cookies.sign(newSessionId())
  for (const name of ['__Host-smart-bff.tx.0', 'x__Host-smart-bff', '__Host-smart-bff ', 'smart']) {
    t.equal(cookies.inspect(`${name}=${value}`).kind, 'none')
  }
})

t.test('two cookies of one name', async (t) => {
  const [one, two] = [newSessionId(), newSessionId()]
  const [first, second] = [cookies.sign(one), cookies.sign(two)]
  t.equal(cookies.inspect(header(first, second)).kind, 'ambiguous', 'two sessions: neither')
  t.equal(cookies.read(header(first, second)), undefined)
  t.equal(cookies.read(header(first, first)), one, 'the same twice')
  t.equal(cookies.read(header('forged', first)), one, 'a forged one does not hide the valid one')
  t.equal(cookies.read(header(first, 'forged')), one)
  const many = Array.from({ length: 5 }, (_, index) => `forged${index}`)
  t.equal(cookies.read(header(...many, first)), undefined, 'a flood is refused')
})

t.test('an older secret still opens, and says that it should be signed anew', async (t) => {
  const id = newSessionId()
  const session = hashSession(id)
  const before = createSessionCookies({ secrets: [older] }).sign(id)
  t.same(cookies.inspect(header(before)), { kind: 'valid', id, session, renew: true })
  t.same(cookies.inspect(header(cookies.sign(id))), { kind: 'valid', id, session, renew: false })
  t.same(cookies.inspect(header(before, cookies.sign(id))), {
    kind: 'valid',
    id,
    session,
    renew: false,
  })
  t.equal(createSessionCookies({ secrets: [newer] }).read(header(before)), undefined)
})

t.test('the store knows a hash, which is no cookie', async (t) => {
  const id = newSessionId()
  t.not(hashSession(id), id)
  t.equal(hashSession(id).length, 43)
  t.equal(cookies.read(header(hashSession(id))), undefined)
  t.throws(() => createSessionCookies({ secrets: [] }), TypeError)
})
