import t from 'tap'
import { startHospital } from '../support/hospital.ts'
import { freePort } from '../support/http.ts'
import { authorize, startIdentityProvider, type Tampering, withProvider } from './staff-rig.ts'

/** Sign-in against a real OpenID Connect provider whose tokens are spoiled on the way, and sessions that are over. */
const port = await freePort()
const url = `http://localhost:${String(port)}`
const provider = await startIdentityProvider(`${url}/sign-in/callback`)
const hospital = await startHospital({ root: { operations: withProvider(port, provider) } })
t.teardown(async () => {
  await hospital.close()
  provider.close()
})

interface Begun {
  readonly cookie: string
  readonly callback: string
}

async function begin(name: string): Promise<Begun> {
  const begun = await fetch(`${url}/sign-in/begin`, { redirect: 'manual' })
  const cookie = begun.headers.getSetCookie()[0]?.split(';')[0] ?? ''
  return { cookie, callback: await authorize(begun.headers.get('location') ?? '', name) }
}

const come = async ({ cookie, callback }: Begun) => {
  const response = await fetch(callback, { headers: { cookie }, redirect: 'manual' })
  const set = response.headers
    .getSetCookie()
    .find((one) => /^__Host-smart-bff-staff=[^;]/.test(one))
  return { status: response.status, text: await response.text(), cookie: set?.split(';')[0] }
}

async function signIn(name: string, tampering?: Tampering) {
  provider.tamper(tampering)
  const answer = await come(await begin(name))
  provider.tamper(undefined)
  return answer
}

const see = async (path: string, cookie = '') => {
  const response = await fetch(`${url}${path}`, { headers: { cookie }, redirect: 'manual' })
  return { status: response.status, text: await response.text() }
}

t.test(
  'a member of the staff comes in, and reads times where the provider says he is',
  async (t) => {
    const { status, cookie } = await signIn('anna.abroad')
    t.equal(status, 200)
    t.match((await see('/?ask=all', cookie)).text, 'times in Asia/Tokyo')
    t.equal((await signIn('anna.other', { claims: { zoneinfo: '<script>' } })).status, 200)
  },
)

t.test('a token that does not hold is no sign-in, and is recorded', async (t) => {
  const past = Math.floor(Date.now() / 1000) - 3600
  const spoiled: Readonly<Record<string, Tampering>> = {
    'signed by somebody else': { foreignKey: true },
    'of another issuer': { claims: { iss: 'https://idp.elsewhere.example' } },
    expired: { claims: { exp: past, iat: past - 60 } },
    'for another client': { claims: { aud: 'another' } },
    'of another sign-in': { claims: { nonce: 'another' } },
    'without a subject': { without: 'sub' },
    'without a name': {
      claims: { preferred_username: 'John Smith', email: '', sub: 'John Smith' },
    },
  }
  for (const [what, tampering] of Object.entries(spoiled)) {
    const { status, cookie, text } = await signIn('anna.auditor', tampering)
    t.equal(status, 403, what)
    t.equal(cookie, undefined, what)
    t.match(text, 'The sign-in did not succeed.', what)
  }
  const text = await hospital.auditText()
  t.equal(text.match(/"staff\.refused".*"sign_in_invalid"/g)?.length, Object.keys(spoiled).length)
  t.notMatch(text, 'Smith')
})

t.test('roles come from the token’s claim and nothing else', async (t) => {
  for (const groups of [
    undefined,
    [],
    ['Privacy-Office'],
    'privacy-office,x',
    { 0: 'privacy-office' },
  ]) {
    const { status, text } = await signIn('anna.auditor', { claims: { groups } })
    t.equal(status, 403)
    t.match(text, 'Your account has no role on this site.')
  }
  t.equal((await signIn('mallory', { claims: { groups: 'service-desk' } })).status, 200)
})

t.test('a callback is of one browser and for one time', async (t) => {
  const mine = await begin('anna.auditor')
  const other = await begin('otto.operator')
  t.equal((await come({ ...mine, cookie: '' })).status, 403, 'another browser')
  t.equal((await come({ ...mine, cookie: other.cookie })).status, 403, 'of another sign-in')
  t.equal((await come({ ...mine, callback: `${mine.callback}&iss=https://x.example` })).status, 403)
  const altered = mine.callback.replace(/code=[^&]+/, 'code=guessed')
  t.equal((await come({ ...mine, callback: altered })).status, 403)
  const again = await begin('anna.auditor')
  t.equal((await come(again)).status, 200)
  t.equal((await come(again)).status, 403, 'the code was used')
  t.equal((await see('/sign-in/callback?error=access_denied')).status, 403)
})

t.test(
  'a session that was signed out of opens nothing, wherever its cookie was copied to',
  async (t) => {
    const { cookie = '' } = await signIn('anna.auditor')
    t.equal((await see('/', cookie)).status, 200)
    await fetch(`${url}/sign-out`, {
      method: 'POST',
      headers: { cookie, origin: url },
      redirect: 'manual',
    })
    const after = await see('/overview', cookie)
    t.equal(after.status, 401)
    t.match(after.text, 'Your session is over')
    t.equal((await see('/overview')).status, 401)
    const text = await hospital.auditText()
    t.match(text, /"staff\.refused".*"user":"anna\.auditor".*"session_over"/)
    t.match(text, /"staff\.refused".*"not_signed_in"/)
  },
)
