import { registerHooks } from 'node:module'
import t from 'tap'
import { startCollector } from './collector.ts'
import { spanId, traceId } from './malformed.ts'

/** Without the section nothing of OpenTelemetry is loaded, and no header is added or passed on. */

const loaded: string[] = []
registerHooks({
  resolve: (specifier, context, next) => {
    // prom-client brings the API alone, for exemplars that are not used here.
    const ours = context.parentURL?.includes('/node_modules/prom-client/') !== true
    if (ours && specifier.startsWith('@opentelemetry/')) loaded.push(specifier)
    return next(specifier, context)
  },
})
// After the hook, so that it sees every import.
const { startHospital } = await import('../support/hospital.ts')

t.test('off by default', async (t) => {
  const hospital = await startHospital()
  t.teardown(() => hospital.close())
  t.equal(hospital.config.operations.tracing, undefined)
  const browser = hospital.browser()
  const patient = hospital.sandbox.patient('amara').id
  const { launch } = await browser.launch({ patient })
  const headers = { traceparent: `00-${traceId}-${spanId}-01`, tracestate: 'a=b', baggage: 'c=d' }
  const read = await browser.fetch(`/fhir/${launch}/Patient/${patient}`, { headers })
  t.equal(read.status, 200)
  const sent = hospital.sandbox.requests().flatMap((request) => Object.keys(request.headers))
  t.ok(sent.includes('accept'))
  t.notOk(sent.some((name) => /^trace|^baggage/.test(name)))
  t.same(loaded, [])
})

t.test('the same look finds the packages where it is on', async (t) => {
  const collector = await startCollector()
  const tracing = { endpoint: collector.endpoint, ratio: 1 }
  const operations = { listen: { host: '127.0.0.1', port: 0 }, tracing }
  const hospital = await startHospital({ root: { operations } })
  await hospital.close()
  await collector.close()
  t.ok(loaded.includes('@opentelemetry/sdk-trace'))
})
