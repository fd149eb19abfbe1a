import { once } from 'node:events'
import { createServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import t from 'tap'
import { createCertificates } from '../../src/operations/certificates.ts'
import { newCertificate } from '../support/certificate.ts'
import { testConfig } from '../support/config.ts'

const dayMs = 86_400_000
const now = Date.now()
const until = (days: number, host = 'localhost') =>
  newCertificate({ notAfter: new Date(now + days * dayMs), host })

t.test(
  'what ends when: the EHR’s certificate as it is served, ours, and keys that do not',
  async (t) => {
    const served = until(20)
    const server = createServer({ ...served }, (_request, response) => response.end())
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    t.teardown(() => server.close())
    let connections = 0
    server.on('connection', () => (connections += 1))

    const { port } = server.address() as AddressInfo
    const own = until(300)
    const ending = until(5)
    const config = testConfig({
      iss: `https://127.0.0.1:${String(port)}/fhir`,
      tenant: {
        upstream: {
          ca: `${until(500, 'authority.example').cert}${served.cert}`,
          clientCertificate: ending,
        },
      },
      root: { listen: { host: '127.0.0.1', port: 0, tls: own } },
    })
    const [tenant] = config.tenants
    if (tenant === undefined) throw new Error('no tenant')
    const certificates = createCertificates(config, { now: () => now })
    const days = (at: number | undefined) => at && Math.round((at - now) / dayMs)

    t.same(
      certificates.own().map(({ what, until: at }) => [what, days(at)]),
      [['Certificate of the app’s listener', 300]],
    )
    const ofTenant = await certificates.ofTenant(tenant)
    t.same(
      ofTenant.map(({ what, until: at, instead }) => [what, days(at) ?? instead]),
      [
        [`Certificate of 127.0.0.1:${String(port)}`, 20],
        ['Client certificate for the EHR', 5],
        ['Authority of the EHR (ca)', 20],
        ['Client key s1 (ES384, signs)', 'does not end by itself'],
      ],
    )
    await certificates.ofTenant(tenant)
    t.equal(connections, 1, 'the EHR is looked at once an hour')
  },
)

t.test('an EHR that cannot be looked at says why', async (t) => {
  const config = testConfig({ iss: 'https://127.0.0.1:1/fhir' })
  const [tenant] = config.tenants
  if (tenant === undefined) throw new Error('no tenant')
  const [first] = await createCertificates(config, { now: Date.now }).ofTenant(tenant)
  t.match(first, { until: undefined, instead: 'ECONNREFUSED' })
})
