import t from 'tap'
import { startHospital } from '../support/hospital.ts'

/**
 * Whoever can make a browser open /launch can add parameters to it (mod_auth_openidc 2026-08): none of them shapes the
 * request that goes to the EHR.
 */
t.test('nothing but iss and launch comes from the launch URL', async (t) => {
  const hospital = await startHospital()
  t.teardown(() => hospital.close())
  const { sandbox } = hospital
  const patient = sandbox.patient('amara').id
  const asked = async (added: string) => {
    sandbox.control.clearRequests()
    const { response } = await hospital
      .browser()
      .navigate(sandbox.createLaunch({ patient }).url + added)
    await response.body?.cancel()
    const [request] = sandbox.requests().filter(({ where }) => where === 'authorize')
    const query = new Map(Object.entries(request?.query ?? {}))
    for (const own of ['state', 'nonce', 'launch', 'code_challenge']) query.delete(own)
    return { status: response.status, query: Object.fromEntries(query), request }
  }
  const good = await asked('')
  t.equal(good.status, 200)
  t.ok(good.query['scope'])
  for (const added of [
    '&scope=user/*.cruds',
    '&scopes=offline_access',
    '&auth_request_params=prompt%3Dnone',
    '&redirect_uri=https://evil.example/',
    '&client_id=other',
    '&aud=https://evil.example/fhir',
    '&response_type=token&response_mode=fragment',
    '&state=fixed&code_challenge=fixed&code_challenge_method=plain&nonce=fixed',
    '&prompt=none&login_hint=x&max_age=0&request_uri=https://evil.example/jar',
    '%26scope%3Duser%2F*.cruds',
  ]) {
    const { status, query, request } = await asked(added)
    if (request === undefined) t.ok(status >= 400, `${added}: refused`)
    else t.strictSame(query, good.query, `${added}: the request is the configured one`)
    const drawn = ['state', 'nonce', 'code_challenge'].flatMap((name) => request?.query[name] ?? [])
    t.notOk(drawn.includes('fixed'), 'and what is drawn is drawn by us')
  }
  const twice = '&iss=https%3A%2F%2Fevil.example&launch=other'
  const { request, status } = await asked(twice)
  t.equal(request, undefined, 'of two values none is taken')
  t.equal(status, 400)
})
