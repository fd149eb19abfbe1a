import t from 'tap'
import { createScopeUse } from '../../src/operations/scope-use.ts'
import { readScopeUse } from '../../src/operations/scope-use-view.ts'
import { createEmbeddedStore } from '../../src/store/embedded.ts'
import { startRedis } from '../support/redis.ts'
import { startHospital } from '../support/hospital.ts'
import { createStore } from '../../src/store/create.ts'
import { testConfig } from '../support/config.ts'

const day = 86_400_000
const hour = 3_600_000
const begun = Date.UTC(2026, 2, 1, 9, 30)
const scopes = [
  'launch',
  'openid',
  'fhirUser',
  'offline_access',
  'patient/Patient.r',
  'patient/Observation.rs?category=vital-signs',
  'patient/Condition.rs',
  'patient/Procedure.rs',
]
const { tenants } = testConfig({ mode: { scopes } })
const here = { tenant: 'north', mode: 'chart', outcome: 'success' } as const

t.test('granted against used, over 90 days and not longer', async (t) => {
  let now = begun
  const store = createEmbeddedStore({ now: () => now })
  const use = createScopeUse({ store, tenants, now: () => now, flushMs: hour })
  t.teardown(() => use.stop())
  const read = async () => {
    await use.flush()
    return readScopeUse(store, { tenant: 'north', mode: 'chart', scopes }, now)
  }
  t.match(await read(), { exchanges: 0, scopes: scopes.map(() => ({ verdict: 'no launches' })) })

  const granted =
    'launch openid patient/Patient.r patient/Observation.rs?category=vital-signs patient/Condition.read' +
    ' patient/Immunization.rs patient/Observation.rs?code=secret Smith'
  use.heard({ event: 'token.exchanged', ...here, granted, context: ['patient'] })
  use.heard({ event: 'launch.authorized', ...here })
  use.heard({ event: 'fhir.access', ...here, interaction: 'read', resource: 'Patient' })
  now += 2 * hour
  const search = { interaction: 'search-type', resource: 'Observation' } as const
  use.heard({ event: 'fhir.access', ...here, ...search })
  // What is not of the configuration, and what was refused, is no use.
  use.heard({ event: 'fhir.refused', ...here, interaction: 'read', resource: 'Procedure' })
  use.heard({ event: 'fhir.access', ...here, mode: 'other', ...search })

  const view = await read()
  t.equal(view.exchanges, 1)
  t.same(
    view.scopes.map(({ scope, granted: times, used, lastUsed, verdict }) =>
      [scope, times, used, lastUsed ?? '', verdict].join(' '),
    ),
    [
      'launch 1 1 2026-03-01T09 used',
      'openid 1 1 2026-03-01T09 used',
      'fhirUser 0 1 2026-03-01T09 never granted',
      'offline_access 0 0  never granted',
      'patient/Patient.r 1 1 2026-03-01T09 used',
      'patient/Observation.rs?category=vital-signs 1 1 2026-03-01T11 used',
      'patient/Condition.rs 1 0  never used',
      'patient/Procedure.rs 0 0  never granted',
      'patient/Immunization.rs 1 0  not asked for',
    ],
  )
  now = begun + 89 * day
  t.equal((await read()).exchanges, 1)
  now = begun + 91 * day
  t.equal((await read()).exchanges, 0, 'longer ago than 90 days')
})

t.test('in Redis, from real launches, and nothing in it names anybody', async (t) => {
  const redis = await startRedis()
  t.teardown(() => redis.stop())
  const hospital = await startHospital({
    root: { store: { redis: { url: redis.url } } },
    mode: {
      scopes: ['launch', 'openid', 'fhirUser', 'patient/Patient.rs', 'patient/Condition.rs'],
    },
  })
  const patient = hospital.sandbox.patients[0]?.id ?? ''
  const browser = hospital.browser()
  const { launch } = await browser.launch({ patient })
  await browser.fetch(`/fhir/${launch}/Patient/${patient}`)
  await hospital.close()
  const store = createStore(hospital.config.store, { now: Date.now, onFault: () => undefined })
  t.teardown(() => store.close())
  const [
    {
      id: tenant,
      modes: [mode],
    },
  ] = hospital.config.tenants as [(typeof hospital.config.tenants)[number]]
  if (mode === undefined) throw new Error('no mode')
  const { exchanges, scopes: rows } = await readScopeUse(
    store,
    { tenant, mode: mode.id, scopes: mode.scopes },
    Date.now(),
  )
  t.equal(exchanges, 1)
  t.match(
    rows.map(({ scope, verdict }) => `${scope} ${verdict}`),
    [
      'launch used',
      'openid used',
      'fhirUser used',
      'patient/Patient.rs used',
      'patient/Condition.rs never used',
    ],
  )
  t.notMatch(JSON.stringify(rows), patient)
})
