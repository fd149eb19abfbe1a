import t from 'tap'
import { launchContract } from '../../src/operations/contract.ts'
import { errorTable } from '../../src/errors.ts'
import { rawConfig, configOf, type TestConfigOptions } from '../support/config.ts'

function contractOf(options: TestConfigOptions = {}): string {
  const config = configOf(rawConfig(options))
  const [tenant] = config.tenants
  if (tenant === undefined) throw new Error('no tenant')
  return launchContract(config, tenant)
}

t.test('holds what a registration form asks for, and no secret', (t) => {
  const markdown = contractOf()
  t.match(markdown, '# Launch contract: North Hospital')
  t.match(markdown, '| redirect URI, exactly | `http://localhost:3000/callback/north` |')
  t.match(markdown, '| launch URL of `chart` | `http://localhost:3000/launch/north/chart` |')
  t.match(
    markdown,
    '| or, the same for every EHR | `http://localhost:3000/launch` (`chart` here) |',
  )
  t.match(markdown, '| grant types | `authorization_code` |')
  t.match(markdown, '| the EHR | `http://localhost:3000/.well-known/jwks.json` | our public keys |')
  t.match(markdown, '| JWKS URL | `http://localhost:3000/.well-known/jwks.json` |')
  t.match(
    markdown,
    '| client authentication | `private_key_jwt`, keys `s1` (ES384); the first signs |',
  )
  t.notMatch(markdown, /PRIVATE KEY/)
  t.notMatch(
    contractOf({
      tenant: { client: { id: 'a', auth: 'client_secret_post', secret: 'hush-hush' } },
    }),
    /hush|jwks/,
  )
  t.end()
})

t.test('names the feature that justifies each scope', (t) => {
  const markdown = contractOf({
    mode: {
      scopes: [
        'launch',
        'online_access',
        'patient/Patient.r',
        'patient/Observation.rs?category=vital-signs|x',
        'patient/Condition.r',
      ],
      user: 'any',
      allow: [
        { feature: 'Banner', resource: 'Patient', interactions: ['read'] },
        { feature: 'Vitals | trends', resource: 'Observation', interactions: ['search-type'] },
      ],
    },
  })
  t.match(markdown, '| `patient/Patient.r` | Banner |')
  t.match(markdown, '| `patient/Observation.rs?category=vital-signs\\|x` | Vitals \\| trends |')
  t.match(markdown, '| `patient/Condition.r` | **no rule needs it** |')
  t.match(markdown, /online_access` \| to go on after the access token/)
  t.match(markdown, 'any user, named or not')
  t.match(markdown, 'A refused refresh asks for a new launch.')
  t.end()
})

t.test('tells every state a user can be told', (t) => {
  const markdown = contractOf({
    tenant: { vendor: 'oracle' },
    mode: { scopes: ['launch', 'openid', 'fhirUser', 'offline_access'] },
  })
  for (const { state } of Object.values(errorTable)) t.match(markdown, `| \`${state}\` |`)
  t.match(markdown, 'at most every 60 seconds')
  t.match(markdown, '| grant types | `authorization_code`, `refresh_token` |')
  t.match(markdown, '“Call the service desk, 4400.”')
  t.end()
})

t.test(
  'shows what this EHR is sent: by form, in version 1, with the context that is asked for',
  (t) => {
    const markdown = contractOf({
      tenant: { quirks: { authorizeMethod: 'post', scopeVersion: 'v1' } },
      mode: { scopes: ['launch', 'launch/encounter', 'openid', 'fhirUser', 'patient/Patient.r'] },
    })
    t.match(markdown, '| authorization request | by POST, as a form |')
    t.match(markdown, '| `patient/Patient.read` | Patient banner |')
    t.match(markdown, '; `encounter` where there is one.')
    t.end()
  },
)

t.test('an empty allowlist is said', (t) => {
  t.match(contractOf({ mode: { allow: [] } }), 'Nothing: the allowlist is empty.')
  t.end()
})
