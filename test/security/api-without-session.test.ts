import t from 'tap'
import { startHospital } from '../support/hospital.ts'
import { plainFetch } from '../support/http.ts'

/**
 * A fetch whose session is over is told so with 401: never a redirect to a login, which a fetch cannot follow, and never
 * another pending cookie, of which an app that polls would pile up hundreds (mod_auth_openidc #113, #331).
 */
t.test('a fetch without a session is 401, begins no login and sets no cookie', async (t) => {
  const hospital = await startHospital()
  t.teardown(() => hospital.close())
  const { publicUrl, sandbox } = hospital
  const headers = { 'sec-fetch-site': 'same-origin', 'sec-fetch-dest': 'empty', origin: publicUrl }
  const launch = 'A'.repeat(32)
  for (const [method, path] of [
    ['GET', `/fhir/${launch}/Patient/1`],
    ['GET', `/fhir/${launch}/Observation?code=1`],
    ['GET', `/launches/${launch}`],
    ['POST', `/launches/${launch}/activity`],
    ['POST', `/launches/${launch}/reauthorize`],
    ['GET', `/launches/${launch}/draft`],
    ['DELETE', `/launches/${launch}`],
  ] as const) {
    for (let repeated = 0; repeated < 3; repeated += 1) {
      const answer = await plainFetch(publicUrl + path, { method, headers })
      t.equal(answer.status, 401, `${method} ${path}`)
      t.equal(answer.headers.get('smart-bff-state'), 'session_ended')
      t.equal(answer.headers.get('location'), null)
      t.strictSame(answer.headers.getSetCookie(), [])
      t.match(answer.headers.get('content-type'), /json/, 'a body that a program can read')
    }
  }
  t.strictSame(sandbox.requests(), [], 'and the EHR hears nothing')
})

t.test('the cookies of many launches stay small', async (t) => {
  const hospital = await startHospital()
  t.teardown(() => hospital.close())
  const { sandbox } = hospital
  const browser = hospital.browser()
  for (let count = 0; count < 10; count += 1) {
    await browser.launch({ patient: sandbox.patients[count % 3]?.id ?? '' })
    // One that is begun and never finished.
    const [first] = (
      await browser.navigate(sandbox.createLaunch().url, () => `${hospital.publicUrl}/healthz`)
    ).trail
    t.ok(first)
  }
  const pairs = [...browser.jar.cookies].map(([name, value]) => `${name}=${value}`)
  t.ok(
    pairs.every((pair) => pair.length < 512),
    'each is far below the 4096 bytes of a browser',
  )
  t.ok(pairs.join('; ').length < 4096, `together ${pairs.join('; ').length}`)
})
