import t from 'tap'
import { startHospital } from '../support/hospital.ts'
import { sendRaw, statusesOf } from '../support/raw-http.ts'

/**
 * An address of ours that leads to somebody else's (CVE-2022-23527, GHSA-5m6c-jp6f-2vcv and their kind): a Location is a
 * path of ours or the tenant's own authorization endpoint, whatever stands in the request.
 */
t.test('no address of ours leads elsewhere', async (t) => {
  const hospital = await startHospital()
  t.teardown(() => hospital.close())
  const { sandbox, publicUrl } = hospital
  const port = Number(new URL(publicUrl).port)
  const { url } = sandbox.createLaunch({ patient: sandbox.patient('amara').id })
  const launch = url.slice(publicUrl.length)
  const evil = [
    '//evil.example',
    '//evil.example/launch',
    '/\\evil.example',
    '/\\/evil.example',
    '/%5cevil.example',
    '/%2f%2fevil.example',
    '/.evil.example',
    '/..//evil.example',
    '/%09/evil.example',
    '/app//evil.example',
    '/app/..%2f..%2fevil.example',
    '/app/%0d%0aLocation:%20https://evil.example',
    'https://evil.example/launch',
    'http://evil.example:80/',
    '/launch//evil.example/x',
    '/launch/north/%2f%2fevil.example',
    `${launch}&next=//evil.example&rd=https://evil.example&target_link_uri=https://evil.example`,
    `${launch}&post_login_redirect_uri=/%5Cevil.example&returnTo=javascript:alert(1)`,
    `/callback/north?state=x&code=y&redirect=https://evil.example`,
    '/callback//evil.example?state=x&code=y',
  ]
  let redirects = 0
  for (const target of evil) {
    const answer = await sendRaw(port, `GET ${target} HTTP/1.1\r\nHost: localhost\r\n\r\n`)
    const location = /^location: (.*)$/im.exec(answer)?.[1]?.trim()
    t.equal(statusesOf(answer).length, 1, `${target}: one answer`)
    if (location === undefined) continue
    redirects += 1
    t.match(location, /^\/(launch|app)[/?][^\\]*$/, `${target}: ${location}`)
    t.notMatch(location, /evil|javascript/, `${target}: and nothing foreign goes along`)
  }
  t.ok(redirects > 0, 'some of them are good launches with something added')
})
