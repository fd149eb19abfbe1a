import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import t from 'tap'
import { storeOperations } from '../../src/operations/store-operations.ts'
import { startHospital } from '../support/hospital.ts'
import { startRedis } from '../support/redis.ts'
import { until } from '../support/until.ts'

/** What a real launch leaves in the metrics, and that no operation of the store counts as `other`. */

t.test('every operation of the Redis store has a name of its own', (t) => {
  const folder = fileURLToPath(new URL('../../src/store', import.meta.url))
  const asked = readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.ts'))
    .flatMap((name) => [...readFileSync(join(folder, name), 'utf8').matchAll(/\bask\('(\w+)'/g)])
    .map(([, operation = '']) => operation)
  t.ok(asked.length > 20)
  for (const operation of asked) t.ok(storeOperations.has(operation), operation)
  t.end()
})

t.test('a launch, reads, a refusal: counted, timed, and without a name of anybody', async (t) => {
  const redis = await startRedis()
  const hospital = await startHospital({
    root: { store: { redis: { url: redis.url } } },
    mode: {
      scopes: [
        'launch',
        'openid',
        'fhirUser',
        'offline_access',
        'patient/Patient.rs',
        'patient/Observation.rs',
      ],
    },
    accessTokenSeconds: 1,
  })
  t.teardown(async () => {
    await hospital.close()
    await redis.stop()
  })
  const exposed = async (): Promise<string> =>
    (await fetch(`${hospital.operationsUrl}/metrics`)).text()
  const browser = hospital.browser()
  const [patient] = hospital.sandbox.patients
  if (patient === undefined) throw new Error('the sandbox has no patient')
  const { launch } = await browser.launch({ patient: patient.id })
  const get = async (path: string): Promise<number> => {
    const answer = await browser.fetch(`/fhir/${launch}/${path}`)
    await answer.arrayBuffer()
    return answer.status
  }
  t.equal(await get(`Patient/${patient.id}`), 200)
  t.equal(await get('Observation?_count=2'), 200)
  t.equal(await get('Encounter'), 403)
  // The token has run out: this request waits for a new one.
  await new Promise((resolve) => setTimeout(resolve, 1100))
  t.equal(await get(`Patient/${patient.id}`), 200)
  const text = await until(exposed, (said) => /smart_bff_active_launches [1-9]/.test(said))

  t.match(text, /smart_bff_launches_total\{outcome="authorized",tenant="north",code="none"\} 1/)
  t.match(
    text,
    'smart_bff_fhir_requests_total{resource="Patient",interaction="read",decision="allowed",tenant="north"} 2',
  )
  t.match(text, /fhir_requests_total\{resource="Encounter",[^}]*decision="refused"/)
  t.match(text, /smart_bff_upstream_seconds_count\{tenant="north",outcome="2xx"\} [2-9]/)
  t.match(text, /smart_bff_store_seconds_count\{operation="createLaunch"\} 1/)
  t.notMatch(text, /operation="other"/)
  t.match(text, /smart_bff_token_refresh_wait_seconds_count [1-9]/)
  t.match(text, /smart_bff_token_refreshes_total\{result="refreshed",tenant="north"\} [1-9]/)
  t.match(text, /smart_bff_audit_write_seconds_count [1-9]/)
  t.match(text, /smart_bff_audit_writable 1\n/)
  t.match(text, /smart_bff_audit_unsealed_records \d/)
  t.match(text, /smart_bff_ready 1\n/)
  t.match(text, /smart_bff_build_info\{version="\d+\.\d+\.\d+",node="v26/)
  t.match(text, /nodejs_eventloop_lag_p99_seconds/)
  t.notMatch(text, new RegExp(`${patient.id}|${launch}`))
})
