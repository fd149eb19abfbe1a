import t, { type Test } from 'tap'
import type { Config } from '../../../src/config/schema/config.ts'
import { runPreflight } from '../../../src/cli/preflight.ts'
import { areas, type Finding } from '../../../src/cli/preflight/finding.ts'
import { reportText, type TenantReport } from '../../../src/cli/preflight/report.ts'
import { json, listen } from '../../ehr/support.ts'
import { type Raw, testConfig } from '../../support/config.ts'
import { demoModes } from '../../support/deployment.ts'
import { startHospital, type HospitalOptions } from '../../support/hospital.ts'

const options = { tenant: undefined, json: true, colour: false }

function createOutput() {
  const output = { text: '', write: (text: string) => (output.text += text) }
  return output
}

async function preflight(config: Config) {
  const [output, progress] = [createOutput(), createOutput()]
  const code = await runPreflight(config, options, output, progress)
  const { tenants } = JSON.parse(output.text) as { tenants: readonly TenantReport[] }
  const findings = tenants.flatMap((report) => report.findings)
  return {
    code,
    findings,
    progress: progress.text,
    failed: findings.filter(({ outcome }) => outcome === 'fail'),
    about: (area: string, subject: RegExp): Finding | undefined =>
      findings.find((one) => one.area === area && subject.test(one.subject)),
  }
}

async function hospital(t: Test, options: HospitalOptions = {}) {
  const started = await startHospital(options)
  t.teardown(() => started.close())
  return started
}

t.test('a whole hospital is ready, and every area was looked at', async (t) => {
  const { config, sandbox } = await hospital(t)
  const { code, findings, failed, progress } = await preflight(config)
  t.same(failed, [])
  t.equal(code, 0)
  for (const area of areas)
    t.ok(
      findings.some((one) => one.area === area),
      area,
    )
  t.match(progress, /north: looking at discovery\n/)
  const grants = sandbox.requests().filter(({ where }) => where === 'token')
  t.same(grants, [], 'nobody was signed in')
})

t.test('the demo asks its EHR for nothing that the EHR does not offer', async (t) => {
  const { config } = await hospital(t, { tenant: { modes: await demoModes() } })
  t.same((await preflight(config)).failed, [])
})

for (const vendor of ['epic', 'oracle', 'athena', 'veradigm', 'medplum'] as const) {
  t.test(`${vendor} passes with the client it takes`, async (t) => {
    const client = { id: 'my-app', auth: 'client_secret_basic', secret: 'x' }
    const tenant = vendor === 'veradigm' ? { client } : {}
    const { config } = await hospital(t, { vendor, tenant })
    t.same((await preflight(config)).failed, [])
  })
}

t.test('MEDITECH refuses the key that it does not take', async (t) => {
  const { config } = await hospital(t, { vendor: 'meditech' })
  const { code, about } = await preflight(config)
  t.equal(code, 1)
  t.match(about('client', /ES384/), { outcome: 'fail', sentence: /RS256, RS384, RS512/ })
})

t.test('rules the EHR cannot serve, and rules and scopes that do not fit', async (t) => {
  const mode = {
    scopes: [
      'launch',
      'openid',
      'fhirUser',
      'patient/Patient.rs',
      'patient/Condition.rs',
      'patient/*.r',
    ],
    allow: [
      { feature: 'Banner', resource: 'Patient', interactions: ['read'] },
      {
        feature: 'Oddness',
        resource: 'Observation',
        interactions: ['search-type'],
        search: ['smell'],
      },
      { feature: 'Slots', resource: 'Slot', interactions: ['read'] },
      { feature: 'Types', resource: 'Patient', interactions: ['history-type'] },
    ],
  }
  const { config } = await hospital(t, { mode })
  const { code, about, findings } = await preflight(config)
  t.equal(code, 1)
  t.match(about('rules', /Banner/), { outcome: 'ok' })
  t.match(about('rules', /Oddness/), { outcome: 'fail', sentence: /search by smell/ })
  t.match(about('rules', /Slots/), { outcome: 'fail', sentence: /does not have Slot/ })
  t.match(about('rules', /Types/), { outcome: 'fail', sentence: /history-type/ })
  t.match(about('scopes', /Oddness/), { outcome: 'fail', sentence: /patient\/Observation\.s/ })
  t.match(about('scopes', /Condition\.rs/), { outcome: 'warn', sentence: /leave it out/ })
  t.match(about('scopes', /\*\.r/), { outcome: 'warn', sentence: /wildcard/ }, 'wildcards @148')
  t.notOk(findings.some(({ sentence }) => sentence.includes('undefined')))
})

t.test('options that lean on what the EHR must have', async (t) => {
  const leaning = { introspection: true, callbackIss: 'required', authorizeMethod: 'post' }
  const epic = await hospital(t, { vendor: 'epic', tenant: { quirks: leaning } })
  const { code, about } = await preflight(epic.config)
  t.equal(code, 1)
  t.match(about('launch', /introspection/), { outcome: 'fail', sentence: /no endpoint/ })
  t.match(about('launch', /iss at the callback/), { outcome: 'warn' })
  t.notOk(about('launch', /by POST/), 'Epic lists authorize-post')

  const client = { id: 'my-app', auth: 'client_secret_basic', secret: 'x' }
  const veradigm = await hospital(t, {
    vendor: 'veradigm',
    tenant: { client, quirks: { authorizeMethod: 'post', introspection: true } },
  })
  const found = await preflight(veradigm.config)
  t.equal(found.code, 0)
  t.match(found.about('launch', /by POST/), { outcome: 'warn', sentence: /authorize-post/ })
  t.match(found.about('launch', /introspection/), { outcome: 'ok' })
})

t.test('a redirect URI the EHR does not know', async (t) => {
  const { config } = await hospital(t)
  const [tenant] = config.tenants
  if (tenant === undefined) return
  const moved = { ...config, tenants: [{ ...tenant, redirectPath: '/callback/elsewhere' }] }
  const { code, about } = await preflight(moved)
  t.equal(code, 1)
  t.match(about('redirect', /at the EHR/), { outcome: 'fail', sentence: /registered with exactly/ })
  t.match(about('redirect', /elsewhere/), { outcome: 'fail', sentence: /another configuration/ })
})

t.test('another smart-bff answers at our address: its keys are not ours', async (t) => {
  const one = await hospital(t)
  const other = testConfig({ publicUrl: one.publicUrl, iss: one.sandbox.iss })
  const { about } = await preflight(other)
  t.match(about('keys', /s1/), { outcome: 'fail', sentence: /another key/ })
})

/** EHRs that answer badly, on real sockets; nobody answers at our own public URL. */
async function broken(t: Test, answer: Parameters<typeof listen>[0], tenant: Raw = {}) {
  const ehr = await listen(answer)
  t.teardown(() => ehr.close())
  const iss = `${ehr.origin}/fhir`
  return preflight(testConfig({ iss, publicUrl: 'http://localhost:1', tenant }))
}

t.test('broken EHRs: each becomes a finding, and the rest is still looked at', async (t) => {
  await t.test('answers nothing but errors', async (t) => {
    const { code, failed, about } = await broken(t, (_heard, response) => json(response, 'no', 500))
    t.equal(code, 1)
    t.match(about('discovery', /./), { outcome: 'fail' })
    t.match(about('rules', /metadata/), { outcome: 'fail', sentence: 'answered 500' })
    t.ok(failed.length >= 2)
  })
  await t.test('cuts every connection', async (t) => {
    const { about } = await broken(t, (_heard, response) => response.destroy())
    t.match(about('discovery', /./), { outcome: 'fail', sentence: /does not answer/ })
    t.match(about('rules', /metadata/), { outcome: 'fail', sentence: /does not answer/ })
  })
  await t.test('sends HTML with 200', async (t) => {
    const html = '<html>\u001b[31mwelcome</html>'
    const { findings } = await broken(t, (_heard, response) => response.end(html))
    t.ok(findings.some(({ area, outcome }) => area === 'discovery' && outcome === 'fail'))
    t.notMatch(JSON.stringify(findings), /welcome/)
  })
  await t.test('knows plain PKCE alone', async (t) => {
    const { about } = await broken(t, ({ path }, response) =>
      json(response, {
        authorization_endpoint: `http://127.0.0.1:1/authorize`,
        token_endpoint: `http://127.0.0.1:1/token`,
        code_challenge_methods_supported: ['plain'],
        path,
      }),
    )
    t.match(about('discovery', /./), { outcome: 'fail', sentence: /no S256/ })
  })
  await t.test('takes another client authentication, has no keys, and no statement', async (t) => {
    const { about, failed } = await broken(t, ({ path }, response) => {
      if (path.endsWith('/metadata')) return json(response, { resourceType: 'OperationOutcome' })
      if (path.endsWith('/jwks')) return json(response, { keys: [] })
      if (path.startsWith('/authorize')) return json(response, {}, 400)
      const origin = '/'
      json(response, {
        authorization_endpoint: `${origin}authorize`,
        token_endpoint: `${origin}token`,
        jwks_uri: `${origin}jwks`,
        token_endpoint_auth_methods_supported: ['client_secret_post\u001b[31m'],
      })
    })
    t.match(about('client', /private_key_jwt/), {
      outcome: 'fail',
      sentence: 'not taken: the EHR lists client_secret_post?[31m',
    })
    t.match(about('keys', /\/jwks$/), { outcome: 'fail', sentence: /holds no keys/ })
    t.match(about('keys', /jwks\.json/), { outcome: 'fail', sentence: /start smart-bff/ })
    t.match(about('redirect', /at the EHR/), { outcome: 'fail' })
    t.match(about('rules', /metadata/), { outcome: 'fail' })
    t.match(about('PKCE', /S256/), { outcome: 'warn' })
    t.ok(failed.length >= 5)
  })
})

t.test('what an EHR says of itself cannot steer the terminal', (t) => {
  const sentence = 'https://ehr.example/\u001b[2J\u202eevil\r'
  const finding = { area: 'discovery', subject: 'issuer', outcome: 'ok', sentence } as const
  const report = { tenant: 'north', iss: 'x', vendor: 'generic', findings: [finding] }
  t.match(reportText([report], false), 'issuer: https://ehr.example/?[2J?evil?')
  t.end()
})

t.test('the table: colours only where they are wanted', async (t) => {
  const { config } = await hospital(t)
  const [plain, coloured] = [createOutput(), createOutput()]
  await runPreflight(config, { ...options, json: false }, plain, createOutput())
  await runPreflight(config, { ...options, json: false, colour: true }, coloured, createOutput())
  t.match(plain.text, /^ {2}✓ PKCE +S256: listed$/m)
  t.match(plain.text, /Ready to launch; \d+ things to look at\./)
  t.notOk(plain.text.includes('\u001b'))
  t.match(coloured.text, '\u001b[32m✓')
})
