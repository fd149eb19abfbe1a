import t from 'tap'
import { startHospital } from '../support/hospital.ts'

/**
 * A cache between hospital and browser must hold neither a cookie nor a patient (CVE-2025-48947, CVE-2025-64762); and an
 * answer that streams sets no cookie that a cut could lose (express-openid-connect #838).
 */
t.test('what carries a cookie or a patient is stored nowhere', async (t) => {
  const hospital = await startHospital()
  t.teardown(() => hospital.close())
  const { sandbox, publicUrl } = hospital
  const patient = sandbox.patient('amara').id
  const browser = hospital.browser()
  const seen: { what: string; response: Response }[] = []
  const watched: typeof browser.jar.fetch = async (url, init) => {
    const response = await browser.jar.fetch(url, init)
    seen.push({ what: `${init?.method ?? 'GET'} ${String(url).slice(0, 60)}`, response })
    return response
  }
  const navigation = { 'sec-fetch-mode': 'navigate', 'sec-fetch-dest': 'iframe' }
  let [next, launch] = [sandbox.createLaunch({ patient }).url, '']
  while (launch === '') {
    const response = next.startsWith(publicUrl)
      ? await watched(next, { headers: navigation })
      : await fetch(next, { redirect: 'manual' })
    const location = response.headers.get('location')
    if (location === null) launch = /\/app\/([\w-]+)\/$/.exec(next)?.[1] ?? 'none'
    else next = new URL(location, next).href
  }
  const own = { 'sec-fetch-site': 'same-origin', 'sec-fetch-dest': 'empty', origin: publicUrl }
  const paths: readonly (readonly [string, string])[] = [
    ['GET', `/fhir/${launch}/Patient/${patient}`],
    ['GET', `/fhir/${launch}/Observation?_count=3`],
    ['GET', `/fhir/${launch}/metadata`],
    ['GET', `/fhir/${launch}/Patient/other`],
    ['GET', `/launches/${launch}`],
    ['POST', `/launches/${launch}/activity`],
    ['GET', `/launches/${launch}/draft`],
    ['DELETE', `/launches/${launch}`],
    ['GET', `/fhir/${launch}/Patient/${patient}`],
    ['DELETE', '/session'],
  ]
  for (const [method, path] of paths) await watched(publicUrl + path, { method, headers: own })

  t.ok(seen.length >= paths.length + 3)
  t.ok(seen.some(({ response }) => response.headers.getSetCookie().length > 0))
  for (const { what, response } of seen) {
    const control = response.headers.get('cache-control') ?? ''
    t.match(control, /\bno-store\b/, what)
    t.notMatch(control, /public|s-maxage|immutable/, what)
    if (what.includes('/fhir/')) t.strictSame(response.headers.getSetCookie(), [], what)
  }
})
