import { readFileSync } from 'node:fs'
import t from 'tap'
import { parse } from 'yaml'
import {
  demoSecrets,
  deriveConfiguration,
  newStaffPassword,
} from '../../src/sandbox/demo-configuration.ts'

const source = readFileSync(new URL('../../config/demo.yaml', import.meta.url), 'utf8')
const absolute = (path: string) => `/somewhere/${path}`
const derive = (app?: string) =>
  deriveConfiguration(
    source,
    { port: 4000, operationsPort: 4001, ehrPort: 9100, app, auditDirectory: '/run/audit' },
    absolute,
  )

t.test('the derived configuration has the chosen ports everywhere', async (t) => {
  const { text, redirectUri, clientId } = derive()
  const document = parse(text) as Record<string, unknown>
  t.match(document, {
    publicUrl: 'http://localhost:4000',
    listen: { port: 4000 },
    operations: {
      listen: { host: 'localhost', port: 4001 },
      publicUrl: 'http://localhost:4001',
      staff: {
        local: [
          { name: 'auditor', role: 'auditor' },
          { name: 'operator', role: 'operator' },
        ],
      },
    },
    tenants: [
      {
        iss: 'http://127.0.0.1:9100/fhir/r4',
        frameAncestors: ['http://127.0.0.1:9100'],
        client: { id: clientId },
      },
    ],
  })
  t.equal(redirectUri, 'http://localhost:4000/callback/demo')
  t.match(document['app'], { directory: /^\/somewhere\// })
  t.match(document['audit'], { directory: '/run/audit' })
  t.notMatch(text, /:3000|:9000/)
})

t.test('an own app is a folder or an address', async (t) => {
  const app = (chosen: string) => (parse(derive(chosen).text) as { app: object }).app
  t.same(app('/home/me/app'), { directory: '/home/me/app' })
  t.same(app('http://localhost:5173'), { upstream: 'http://localhost:5173' })
})

t.test(
  'secrets are fresh, and there is one for every name the configuration asks for',
  async (t) => {
    const secrets = demoSecrets('a password')
    const asked = [...derive().text.matchAll(/"env": "([^"]+)"/g)].map(([, name = '']) => name)
    t.same([...new Set(asked)].toSorted(), Object.keys(secrets).toSorted())
    const again = demoSecrets('a password')
    for (const [name, secret] of Object.entries(secrets)) t.not(again[name], secret, name)
    t.match(newStaffPassword(), /^[a-z2-9]{12}$/)
    t.not(newStaffPassword(), newStaffPassword())
  },
)
