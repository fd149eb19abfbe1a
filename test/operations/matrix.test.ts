import t from 'tap'
import { matrixText, runMatrix } from '../../src/cli/matrix.ts'
import { SmartBffError } from '../../src/errors.ts'
import { createMatrix } from '../../src/operations/matrix.ts'
import { matrixView, readMatrix, type MatrixView } from '../../src/operations/matrix-view.ts'
import { createEmbeddedStore } from '../../src/store/embedded.ts'
import { testConfig } from '../support/config.ts'
import { startHospital } from '../support/hospital.ts'
import { startRedis } from '../support/redis.ts'

const place = { tenant: 'north', mode: 'chart' }
const flushMs = 3_600_000

t.test('real launches of an Epic site, as the matrix shows them', async (t) => {
  const redis = await startRedis()
  t.teardown(() => redis.stop())
  const scopes = ['launch', 'openid', 'fhirUser', 'online_access', 'patient/Patient.rs']
  const hospital = await startHospital({
    vendor: 'epic',
    root: { store: { redis: { url: redis.url } } },
    mode: { scopes: [...scopes, 'patient/Observation.rs', 'patient/Condition.r'] },
  })
  const { sandbox } = hospital
  sandbox.control.set({ grantedScopes: `${scopes.join(' ')} patient/Observation.rs` })
  const [patient, other] = [sandbox.patient('amara').id, sandbox.patient('bart').id]
  for (const id of [patient, other]) {
    const browser = hospital.browser()
    const { launch } = await browser.launch({ patient: id })
    await browser.fetch(`/fhir/${launch}/Patient/${id}`)
    await browser.fetch(`/fhir/${launch}/Patient/someone-else`)
  }
  await t.rejects(hospital.browser().launch({}), 'no patient')
  await hospital.close()

  let text = ''
  const output = { write: (more: string) => (text += more) }
  const options = { tenant: undefined, json: true }
  t.equal(await runMatrix(hospital.config, options, output), 0)
  const [view] = JSON.parse(text) as [MatrixView]
  t.match(view, {
    ...place,
    launches: 2,
    exchanges: 3,
    failures: 1,
    context: { patient: 2, need_patient_banner: 2 },
    granted: { 'patient/Patient.rs': 3, 'patient/Observation.rs': 3, launch: 3 },
    withheld: { 'patient/Condition.r': 3 },
    added: 3,
    refresh: { with: 2 },
    lifetime: { '1 hour or less': 2 },
    user: { practitioner: 2 },
    types: { Patient: { answered: 2, refused: 0, failed: 0 } },
  })
  for (const secret of [patient, other, 'Practitioner/']) t.notOk(text.includes(secret))
  const said = matrixText([view])
  t.match(said, /^north, chart: 2 launches, 1 that failed\n/)
  t.match(said, / context +need_patient_banner 2 of 3, patient 2 of 3\n/)
  t.match(said, / scopes withheld +patient\/Condition\.r always\n/)
})

t.test('what cannot be written waits, and nothing is counted twice', async (t) => {
  const store = createEmbeddedStore({ now: Date.now })
  let down = true
  const matrix = createMatrix({
    flushMs,
    store: {
      addToMatrix: async (...args) => {
        if (down) throw new SmartBffError('STORE_UNAVAILABLE')
        await store.addToMatrix(...args)
      },
    },
  })
  const authorized = { ...place, event: 'launch.authorized', outcome: 'success' } as const
  matrix.heard(authorized)
  await matrix.flush()
  t.equal((await store.readMatrix(place)).size, 0)
  matrix.heard(authorized)
  down = false
  await matrix.stop()
  t.strictSame(
    [...(await store.readMatrix(place))],
    [
      ['launches', 2],
      ['user:unknown', 2],
    ],
  )
})

t.test('only words of closed lists become counters', async (t) => {
  const store = createEmbeddedStore({ now: Date.now })
  const matrix = createMatrix({ flushMs, store })
  const read = { ...place, event: 'fhir.access', outcome: 'success' } as const
  matrix.heard({ ...read, resource: 'John Doe', upstreamStatus: 200 })
  matrix.heard({ ...read, resource: 'Observation' })
  matrix.heard({ ...read, resource: 'Observation', upstreamStatus: 403 })
  matrix.heard({ ...read, resource: 'Observation', upstreamStatus: 503 })
  matrix.heard({ ...read, mode: undefined, resource: 'Observation', upstreamStatus: 200 })
  matrix.heard({
    ...place,
    event: 'token.exchanged',
    outcome: 'success',
    requested: 'launch',
    granted: 'launch foreign/text',
  })
  await matrix.stop()
  const counters = await store.readMatrix(place)
  t.strictSame([...counters.keys()].toSorted(), [
    'added',
    'exchanges',
    'granted:launch',
    'type:Observation:failed',
    'type:Observation:refused',
  ])
  t.match(matrixView(counters), { types: { Observation: { refused: 1, failed: 1 } } })
})

t.test('nothing seen yet, and a store that cannot be read', async (t) => {
  const config = testConfig()
  const store = createEmbeddedStore({ now: Date.now })
  const views = await readMatrix(store, config)
  t.match(matrixText(views), 'north, chart: 0 launches, 0 that failed\n  no launch has come')
  const counters = [
    ['exchanges', 1],
    ['launches', 1],
    ['granted:launch', 1],
    ['granted:openid', 1],
  ] as const
  const [view] = views
  const one = matrixText(view === undefined ? [] : [{ ...view, ...matrixView(new Map(counters)) }])
  t.match(one, /^north, chart: 1 launch, 0 that failed\n/)
  t.match(one, / scopes granted +all 2 always\n/)
  let text = ''
  const output = { write: (more: string) => (text += more) }
  t.equal(await runMatrix(config, { tenant: undefined, json: false }, output), 1)
  t.match(text, 'in the memory of the running server')
})
