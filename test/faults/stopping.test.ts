import t from 'tap'
import { writingMode } from '../support/config.ts'
import { startDeployment } from '../support/deployment.ts'
import { until } from '../support/until.ts'

/**
 * SIGTERM while the EHR has not answered yet: what was begun is finished and answered, what was refused is refused on
 * record, and the audit closes behind all of it.
 */
const deployment = await startDeployment({
  tenant: { modes: [writingMode()] },
  root: { shutdownSeconds: 20, logging: { level: 'info' } },
})
t.teardown(() => deployment.close())
const { sandbox, publicUrl } = deployment
const [replica] = deployment.replicas
if (replica === undefined) throw new Error('no replica')

t.test('a read and a write under way', async (t) => {
  const patient = sandbox.patient('amara').id
  const browser = replica.browser()
  const { launch } = await browser.launch({ patient })
  const base = `/fhir/${launch}`
  const found = await (await browser.fetch(`${base}/Observation?_count=1`)).json()
  const { resource: observation } = Object(found).entry[0]

  // Longer than a busy machine takes to hear a signal.
  const delayMs = 2500
  sandbox.control.setFaults(
    [{ method: 'PUT' }, { method: 'GET', path: '/Patient/' }].map((match) => ({
      where: 'fhir',
      kind: 'delay-after',
      delayMs,
      match,
    })),
  )
  const asked = sandbox.requests().length
  let answered = 0
  const send = async (path: string, init: RequestInit = {}) => {
    const response = await browser.fetch(base + path, init)
    const body = Object(await response.json())
    answered += 1
    return { response, body, incident: response.headers.get('smart-bff-request') ?? '' }
  }
  const both = Promise.all([
    send(`/Patient/${patient}`),
    send(`/Observation/${observation.id}`, {
      method: 'PUT',
      headers: {
        origin: publicUrl,
        'content-type': 'application/fhir+json',
        'if-match': `W/"${observation.meta.versionId}"`,
      },
      body: JSON.stringify(observation),
    }),
  ])
  await until(
    () =>
      sandbox
        .requests()
        .slice(asked)
        .map(({ method }) => method),
    (methods) => methods.includes('PUT') && methods.includes('GET'),
  )
  process.kill(replica.pid(), 'SIGTERM')
  await until(
    () => replica.output(),
    (text) => text.includes('"event":"process.draining"'),
  )
  t.equal(answered, 0, 'both are still waited for')

  const [read, written] = await both
  t.equal(read.response.status, 200)
  t.equal(read.body.id, patient)
  t.equal(written.response.status, 200)
  t.equal(written.body.id, observation.id)
  await until(
    () => replica.output(),
    (text) => text.includes('(ended: '),
  )
  t.match(replica.output(), '(ended: 0)')

  const text = await deployment.auditText()
  const lines = text.split('\n').filter((line) => line.includes('"event":'))
  const recordOf = (incident: string, event: string): number =>
    lines.findIndex(
      (line) => line.includes(`"request":"${incident}"`) && line.includes(`"event":"${event}"`),
    )
  const stopped = lines.findIndex((line) => line.includes('"event":"process.stopped"'))
  for (const [{ incident }, event] of [
    [read, 'fhir.access'],
    [written, 'fhir.intended'],
    [written, 'fhir.written'],
  ] as const) {
    const at = recordOf(incident, event)
    t.ok(at >= 0 && at < stopped, `${event} stands before the end`)
  }
  t.match(lines.at(-1), '"event":"audit.closed"')
  t.equal((await deployment.run(['audit', 'verify'])).code, 0)
})
