import t from 'tap'
import { startHospital } from '../support/hospital.ts'
import { sendRaw, statusesOf } from '../support/raw-http.ts'

/**
 * A client that names our headers as hop-by-hop (@fastify/reply-from 12.6.2, CVE-2025-48865), writes them with an
 * underscore (CVE-2025-64484) or sends its own: what goes to the EHR is made by us from an allow-list.
 */
t.test('no header of the client takes ours away or adds to them', async (t) => {
  const hospital = await startHospital()
  t.teardown(() => hospital.close())
  const { sandbox, publicUrl } = hospital
  const port = Number(new URL(publicUrl).port)
  const browser = hospital.browser()
  const patient = sandbox.patient('amara').id
  const { launch } = await browser.launch({ patient })
  const cookie = [...browser.jar.cookies].map(([name, value]) => `${name}=${value}`).join('; ')
  const ask = async (...lines: string[]) => {
    sandbox.control.clearRequests()
    const head = [`GET /fhir/${launch}/Patient/${patient} HTTP/1.1`, 'Host: localhost']
    const bytes = [...head, `Cookie: ${cookie}`, ...lines, '', ''].join('\r\n')
    const [status] = statusesOf(await sendRaw(port, bytes))
    return { status, upstream: sandbox.requests().find(({ where }) => where === 'fhir') }
  }
  const good = await ask('SMART-BFF: 1')
  t.equal(good.status, 200)
  const names = Object.keys(good.upstream?.headers ?? {}).toSorted()
  const token = good.upstream?.authorization

  for (const lines of [
    ['Connection: authorization, accept, host'],
    ['Connection: close', 'Connection: Authorization'],
    ['Keep-Alive: authorization', 'TE: trailers', 'Upgrade: h2c'],
    ['Authorization: Bearer stolen', 'Proxy-Authorization: Basic eA=='],
    ['X-Forwarded-For: 10.0.0.1', 'Forwarded: for=10.0.0.1', 'Via: 1.1 x', 'Cookie2: a=b'],
    [
      'X_Forwarded_For: 10.0.0.1',
      'Authorization_: x',
      'Content_Length: 5',
      'X-HTTP-Method: DELETE',
    ],
    ['X-HTTP-Method-Override: DELETE', 'X-Original-URL: /fhir/r4/Patient', 'Prefer: respond-async'],
  ]) {
    const { status, upstream } = await ask('SMART-BFF: 1', ...lines)
    const what = lines.join(' | ')
    if (status !== 200) {
      t.equal(status, 400, `${what}: refused`)
      t.equal(upstream, undefined, `${what}: and not sent`)
      continue
    }
    t.strictSame(upstream?.authorization, token, `${what}: our token and no other`)
    t.equal(upstream?.method, 'GET')
    t.equal(upstream?.cookie, false, 'no cookie goes out')
    t.strictSame(Object.keys(upstream?.headers ?? {}).toSorted(), names, `${what}: our headers`)
  }

  const { status, upstream } = await ask('SMART_BFF: 1')
  t.equal(status, 403, 'an underscore is no hyphen: this is not our own page')
  t.equal(upstream, undefined)
})
