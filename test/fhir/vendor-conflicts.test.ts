import { conflict, preconditionFailed } from '@medplum/core'
import t from 'tap'
import { errorTable, type ErrorCode } from '../../src/errors.ts'
import { createWorld, launchId, respondWith } from './helper.ts'

/**
 * What servers really say where a write meets another: as OperationOutcome of every shape, as XML, text, HTML, a
 * vendor's own JSON, or nothing. The user is told it in one sentence of ours, and none of theirs, which may name a patient.
 */

const someone = 'Okafor, Amara'
const outcome = (issue: object): object => ({
  resourceType: 'OperationOutcome',
  text: { status: 'generated', div: `<div>${someone}</div>` },
  issue: [{ severity: 'error', diagnostics: someone, ...issue }],
})
const text = (words: string): object => ({ details: { text: `${words} ${someone}` } })
const html = (title: string): string =>
  `<html><head><title>${title}</title></head><body>${title} ${someone}<hr>nginx</body></html>`
const xml = `<OperationOutcome xmlns="http://hl7.org/fhir"><issue><severity value="error"/><code value="conflict"/>
  <diagnostics value="Update Conflict (server current version = 3, client version referenced = 1) ${someone}"/></issue></OperationOutcome>`

const json = 'application/fhir+json; charset=utf-8'
type Method = 'PUT' | 'PATCH' | 'DELETE' | 'POST'
type Row = readonly [
  source: string,
  method: Method,
  status: number,
  body: unknown,
  told: ErrorCode,
  contentType?: string,
]

const rows: readonly Row[] = [
  // FHIR R4 http.html#concurrency: 412 for a version that is not the current one.
  ['R4', 'PUT', 412, outcome({ code: 'conflict' }), 'FHIR_WRITE_STALE'],
  // microsoft/fhir-server pull request 643: 412 in R4, 409 in STU3.
  ['Microsoft', 'PUT', 412, outcome({ code: 'conflict' }), 'FHIR_WRITE_STALE'],
  ['Microsoft STU3', 'PATCH', 409, outcome({ code: 'conflict' }), 'FHIR_WRITE_CONFLICT'],
  // hapifhir/hapi-fhir, ResourceVersionConflictException, HAPI-0989.
  [
    'HAPI',
    'PUT',
    409,
    outcome({
      code: 'processing',
      diagnostics: `HAPI-0989: Trying to update Observation/o1/_history/3 but this is not the current version ${someone}`,
    }),
    'FHIR_WRITE_CONFLICT',
  ],
  // LinuxForHealth/FHIR issues 825 and 2050: fatal, with an expression that is none.
  [
    'LinuxForHealth',
    'PUT',
    412,
    outcome({
      severity: 'fatal',
      code: 'conflict',
      expression: ['<empty>', `Bundle.entry.where(name='${someone}')`],
      ...text('IfMatch precondition failed.'),
    }),
    'FHIR_WRITE_STALE',
  ],
  // fhirbase/fhirbase-plv8 issue 152: the status as the issue's code.
  ['fhirbase', 'PUT', 409, outcome({ code: '409' }), 'FHIR_WRITE_CONFLICT'],
  // FirelyTeam/spark pull request 1371: a stale versioned patch is 409.
  ['Firely Spark', 'PATCH', 409, outcome({ code: 'conflict' }), 'FHIR_WRITE_CONFLICT'],
  // @medplum/core, outcomes.
  ['Medplum', 'PUT', 412, preconditionFailed, 'FHIR_WRITE_STALE'],
  ['Medplum', 'PUT', 409, conflict(someone), 'FHIR_WRITE_CONFLICT'],
  // Oracle Millennium: 409 stale, 412 without If-Match, 423 locked, and no body (fhir-access-and-audit.md 5).
  ['Oracle', 'PUT', 409, '', 'FHIR_WRITE_CONFLICT', ''],
  ['Oracle', 'PUT', 423, '', 'FHIR_WRITE_CONFLICT', ''],
  [
    'Oracle',
    'PATCH',
    412,
    `no If-Match or invalid If-Match header provided ${someone}`,
    'FHIR_WRITE_STALE',
    'text/plain',
  ],
  // gematik ePA Medication Service, ExpOperationOutcomeVersionAwareConflict.
  ['gematik', 'PUT', 409, xml, 'FHIR_WRITE_CONFLICT', 'application/fhir+xml'],
  // Google: "a generic GCP error might be returned instead" (fhir.update).
  [
    'Google',
    'PUT',
    409,
    { error: { code: 409, message: someone, status: 'ABORTED' } },
    'FHIR_WRITE_CONFLICT',
    'application/json',
  ],
  // nginx and others before an EHR: a page of their own.
  ['a gateway', 'PUT', 412, html('412 Precondition Failed'), 'FHIR_WRITE_STALE', 'text/html'],
  ['a gateway', 'DELETE', 409, html('409 Conflict'), 'FHIR_DELETE_CONFLICT', 'text/html'],
  ['cut off', 'PUT', 409, `{"resourceType":"Opera ${someone}`, 'FHIR_WRITE_CONFLICT'],
  // FHIR R4, issue-type `conflict`: "may be used where the conflict is discovered further into the application".
  ['by its code', 'PUT', 422, outcome({ code: 'conflict' }), 'FHIR_WRITE_CONFLICT'],
  ['by its code', 'PUT', 400, outcome({ code: 'lock-error' }), 'FHIR_WRITE_CONFLICT'],
  ['another fault', 'PUT', 422, outcome({ code: 'business-rule' }), 'FHIR_EHR_UNPROCESSABLE'],
  // RFC 6585 3.
  ['wants If-Match', 'PUT', 428, outcome({ code: 'required' }), 'FHIR_VERSION_REQUIRED'],
  // hapifhir/hapi-fhir: other records refer to it, which is 409 as well.
  ['HAPI', 'DELETE', 409, outcome({ code: 'processing' }), 'FHIR_DELETE_CONFLICT'],
  ['R4', 'DELETE', 412, outcome({ code: 'conflict' }), 'FHIR_WRITE_STALE'],
  // NHS BaRS, REC_CONFLICT; NHS Spine, DUPLICATE_REJECTED; @medplum/core.
  ['BaRS', 'POST', 409, outcome({ code: 'duplicate' }), 'FHIR_CREATE_CONFLICT'],
  ['Spine', 'POST', 422, outcome({ code: 'duplicate' }), 'FHIR_CREATE_CONFLICT'],
  ['duplicate of a change', 'PUT', 422, outcome({ code: 'duplicate' }), 'FHIR_EHR_UNPROCESSABLE'],
  // FHIR R4 http.html#ccreate: several match.
  ['R4', 'POST', 412, outcome({ code: 'multiple-matches' }), 'FHIR_CREATE_SEVERAL'],
  // Refused for good, and so never `data_unavailable` (DESIGN rule 8): RFC 9110 15.5.6, Oracle's 424.
  ['no such method', 'PUT', 405, html('405 Not Allowed'), 'FHIR_EHR_REFUSED', 'text/html'],
  ['Oracle', 'PUT', 424, '', 'FHIR_EHR_REFUSED', ''],
  // "will respond with an OperationOutcome containing a conflict code": with a status that says it was saved.
  ['says both', 'PUT', 200, outcome({ code: 'conflict' }), 'FHIR_WRITE_UNCERTAIN'],
]

const stored = {
  resourceType: 'Observation',
  id: 'o1',
  meta: { versionId: '3' },
  status: 'final',
  subject: { reference: 'Patient/p1' },
}
const allow = [
  {
    feature: 'Notes',
    resource: 'Observation',
    interactions: ['read', 'create', 'update', 'patch', 'delete'],
  },
]
const { id: _id, meta: _meta, ...fresh } = stored
const bodies: Readonly<Record<Method, unknown>> = {
  PUT: { ...stored, status: 'amended' },
  PATCH: [{ op: 'replace', path: '/status', value: 'amended' }],
  DELETE: undefined,
  POST: fresh,
}

t.test('each becomes a sentence of ours, and no word of theirs gets out', async (t) => {
  const world = await createWorld({ mode: { allow } })
  t.teardown(() => world.close())
  const read = respondWith(stored, 200, { etag: 'W/"3"' })
  for (const [source, method, status, body, told, contentType = json] of rows) {
    const write = respondWith(body, status, {
      ...(contentType === '' ? {} : { 'content-type': contentType }),
      warning: `299 - "${someone}"`,
      'x-error': someone,
      etag: `W/"${someone}"`,
    })
    world.ehr.answer = (incoming, outgoing, sent) =>
      incoming.method === 'GET' ? read(incoming, outgoing, sent) : write(incoming, outgoing, sent)
    world.audited.length = 0
    const patch = method === 'PATCH'
    const sent = bodies[method]
    const answer = await world.fetch(
      `/fhir/${launchId}/Observation${method === 'POST' ? '' : '/o1'}`,
      {
        method,
        headers: {
          'content-type': patch ? 'application/json-patch+json' : 'application/fhir+json',
          ...(method === 'POST' ? {} : { 'if-match': 'W/"3"' }),
        },
        ...(sent === undefined ? {} : { body: JSON.stringify(sent) }),
      },
    )
    const name = `${source}, ${method}, ${status}`
    const { sentence, state, status: ours } = errorTable[told]
    t.equal(answer.status, ours, name)
    t.equal(answer.headers['smart-bff-state'], state, name)
    t.match(answer.headers['content-type'], /^application\/fhir\+json/, name)
    t.equal(answer.json().issue[0].details.text, sentence, name)
    t.notMatch(answer.text + JSON.stringify(answer.headers), 'Okafor', name)
    t.notMatch(answer.text, /HAPI|nginx|GCP|precondition|_history/i, name)
    t.notMatch(JSON.stringify(world.audited), 'Okafor', name)
    t.match(world.audited.at(-1), { upstreamStatus: status, reason: told }, name)
  }
})

t.test('in the answers of a batch as well', async (t) => {
  const world = await createWorld({
    mode: { allow: [...allow, { feature: 'At once', bundle: ['batch'] }] },
  })
  t.teardown(() => world.close())
  const read = respondWith(stored, 200, { etag: 'W/"3"' })
  const entries = [
    { resource: bodies.PUT, request: { method: 'PUT', url: 'Observation/o1', ifMatch: 'W/"3"' } },
    { request: { method: 'DELETE', url: 'Observation/o1', ifMatch: 'W/"3"' } },
    { resource: fresh, request: { method: 'POST', url: 'Observation' } },
  ]
  for (const [status, ...codes] of [
    ['409 Conflict', 'FHIR_WRITE_CONFLICT', 'FHIR_DELETE_CONFLICT', 'FHIR_CREATE_CONFLICT'],
    ['412', 'FHIR_WRITE_STALE', 'FHIR_WRITE_STALE', 'FHIR_CREATE_SEVERAL'],
    ['422', 'FHIR_WRITE_CONFLICT', 'FHIR_DELETE_CONFLICT', 'FHIR_CREATE_CONFLICT'],
    ['428', 'FHIR_VERSION_REQUIRED', 'FHIR_VERSION_REQUIRED', 'FHIR_VERSION_REQUIRED'],
    ['200', 'FHIR_WRITE_UNCERTAIN', 'FHIR_WRITE_UNCERTAIN', 'FHIR_WRITE_UNCERTAIN'],
  ] as const) {
    const said = { response: { status, outcome: outcome({ code: 'conflict' }) } }
    const write = respondWith({ resourceType: 'Bundle', type: 'batch-response', entry: [said] })
    world.ehr.answer = (incoming, outgoing, sent) =>
      incoming.method === 'GET' ? read(incoming, outgoing, sent) : write(incoming, outgoing, sent)
    for (const [index, told] of codes.entries()) {
      const answer = await world.fetch(`/fhir/${launchId}`, {
        method: 'POST',
        headers: { 'content-type': 'application/fhir+json' },
        body: JSON.stringify({ resourceType: 'Bundle', type: 'batch', entry: [entries[index]] }),
      })
      const { response } = answer.json().entry[0]
      t.equal(response.outcome.issue[0].details.text, errorTable[told].sentence, told)
      t.equal(response.status, String(errorTable[told].status), told)
      t.notMatch(answer.text, 'Okafor')
    }
  }
})
