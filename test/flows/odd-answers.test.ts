import fc from 'fast-check'
import t from 'tap'
import { rawMode } from '../support/config.ts'
import { startHospital } from '../support/hospital.ts'

/**
 * Whatever the EHR's OAuth side answers, on the way in and on refresh: the user reads one of the ten states or the app,
 * and nothing in smart-bff fails by itself.
 */

const scopes = ['launch', 'openid', 'fhirUser', 'offline_access', 'patient/Patient.r']
const modes = [rawMode({ user: 'any', patient: 'optional', scopes })]
const hospital = await startHospital({
  tenant: { modes },
  root: { rateLimits: { launchPerMinute: 60_000 } },
})
t.teardown(() => hospital.close())
const { sandbox } = hospital
const { control } = sandbox
const patient = sandbox.patient('amara').id

const names = [
  'access_token',
  'token_type',
  'expires_in',
  'refresh_token',
  'scope',
  'id_token',
  'patient',
  'encounter',
  'fhirContext',
  'need_patient_banner',
  'intent',
  'smart_style_url',
  'tenant',
  'error',
  '__proto__',
] as const

/** Each of these stands once in each member. */
const hard = [null, '', '..', '\u0000\ud800', 1e308, [], {}, 'x'.repeat(100_000)] as const
const odd = fc.oneof(
  fc.constantFrom<unknown[]>(true, 0, -1, ' ', 'é', 'patient/*.rs '.repeat(5_000), 'a.b.c', '<p>'),
  fc.constantFrom([[]], [null], ['..'], { id: 'x' }, [{ reference: 'Observation/1' }]),
  fc.json({ maxDepth: 4 }).map((text) => JSON.parse(text) as unknown),
)
type Members = [(typeof names)[number], unknown][]
const examples = names.flatMap((name) => hard.map((value): [Members] => [[[name, value]]]))

const answers = fc.uniqueArray(fc.tuple(fc.constantFrom(...names), odd), {
  selector: ([name]) => name,
  minLength: 1,
  maxLength: 4,
})

const ownFault = /INTERNAL/
const states = new Set([
  'authorization_expired',
  'patient_context_missing',
  'scope_insufficient',
  'not_permitted',
  'data_unavailable',
  'configuration_invalid',
])

/** What is wrong with an answer, if anything is. */
function faultOf(response: Response): string | undefined {
  if (response.status === 200) return undefined
  const state = response.headers.get('smart-bff-state') ?? 'none'
  return states.has(state) && response.status !== 500 ? undefined : `${response.status} ${state}`
}

t.test('an exchange', async (t) => {
  await fc.assert(
    fc.asyncProperty(answers, async (members) => {
      control.set({ tokenResponse: { merge: Object.fromEntries(members) } })
      const browser = hospital.browser()
      const landed = await browser.navigate(sandbox.createLaunch({ patient }).url)
      const launch = /\/app\/([\w-]+)\/$/.exec(landed.url)?.[1]
      const fault = faultOf(landed.response)
      if (fault !== undefined) throw new Error(`the launch: ${fault}`)
      if (launch === undefined) return
      for (const path of [`/launches/${launch}`, `/fhir/${launch}/Patient/${patient}`]) {
        // oxlint-disable-next-line no-await-in-loop -- one browser, one request after the other
        const wrong = faultOf(await browser.fetch(path))
        if (wrong !== undefined) throw new Error(`${path}: ${wrong}`)
      }
    }),
    { examples, numRuns: examples.length + 40 },
  )
  t.notMatch(await hospital.auditText(), ownFault)
})

t.test('a refresh', async (t) => {
  await fc.assert(
    fc.asyncProperty(answers, async (members) => {
      control.reset()
      const browser = hospital.browser()
      const { launch } = await browser.launch({ patient })
      control.set({ tokenResponse: { merge: Object.fromEntries(members) } })
      control.revoke('access')
      for (const path of [`/fhir/${launch}/Patient/${patient}`, `/launches/${launch}`]) {
        // oxlint-disable-next-line no-await-in-loop -- one browser, one request after the other
        const wrong = faultOf(await browser.fetch(path))
        if (wrong !== undefined) throw new Error(`${path}: ${wrong}`)
      }
    }),
    { numRuns: 40 },
  )
  t.notMatch(await hospital.auditText(), ownFault)
})
