import t from 'tap'
import { printTraceParent, readTraceParent, traceOfLaunch } from '../../src/tracing/traceparent.ts'
import { attributesOf } from '../../src/tracing/words.ts'
import { malformed, spanId, traceId } from './malformed.ts'
import { launchHash } from '../../src/audit/pseudonyms.ts'

/** W3C Trace Context, 3.2, and what a span may say. */

t.test('a traceparent of version 00', (t) => {
  const sampled = { traceId, spanId, sampled: true }
  t.same(readTraceParent(`00-${traceId}-${spanId}-01`), sampled)
  t.same(readTraceParent(`00-${traceId}-${spanId}-00`), { ...sampled, sampled: false })
  t.same(readTraceParent(`00-${traceId}-${spanId}-03`), sampled, 'further flags say nothing')
  t.equal(printTraceParent(sampled), `00-${traceId}-${spanId}-01`)
  t.same(readTraceParent(printTraceParent({ ...sampled, sampled: false }))?.sampled, false)
  t.end()
})

t.test('anything else is as if nothing had come', (t) => {
  for (const header of malformed) t.equal(readTraceParent(header), undefined, header)
  t.equal(readTraceParent(undefined), undefined)
  t.equal(readTraceParent([`00-${traceId}-${spanId}-01`]), undefined)
  t.end()
})

t.test("a launch's trace begins with its name in the audit", (t) => {
  const launch = 'M3pZ0cXq5m2Yh8bN1dLsVw4tRkUaJg7e'
  const own = traceOfLaunch(launch)
  t.match(own, { traceId: /^[0-9a-f]{32}$/, spanId: /^[0-9a-f]{16}$/ })
  t.equal(own.traceId.slice(0, 16), launchHash(launch))
  t.same(traceOfLaunch(launch), own)
  t.not(traceOfLaunch(`${launch}x`).traceId, own.traceId)
  t.end()
})

t.test('what stands on no list does not stand in a span', (t) => {
  const known = new Set(['north'])
  t.same(
    attributesOf(
      {
        tenant: { id: 'north' },
        resource: 'Observation',
        interaction: 'read',
        decision: 'refused',
        state: 'not_permitted',
        status: 403,
      },
      known,
    ),
    {
      'smart_bff.tenant': 'north',
      'smart_bff.resource': 'Observation',
      'smart_bff.interaction': 'read',
      'smart_bff.decision': 'refused',
      'smart_bff.state': 'not_permitted',
      'http.response.status_code': 403,
    },
  )
  const name = 'Amara Okafor'
  const wrong = { tenant: { id: name }, resource: name, fault: name, status: 12_345.5 }
  t.same(attributesOf(wrong as object, known), {
    'smart_bff.tenant': 'other',
    'smart_bff.resource': 'other',
    'smart_bff.fault': 'other',
  })
  t.end()
})
