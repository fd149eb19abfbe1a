import { existsSync, mkdtempSync, readFileSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import * as fc from 'fast-check'
import { Redis } from 'ioredis'
import t from 'tap'
import { startDeployment } from '../support/deployment.ts'
import type { Deployment } from '../support/deployment.ts'
import { plainFetch, startServer } from '../support/http.ts'
import { startRedis } from '../support/redis.ts'
import { until } from '../support/until.ts'
import { signInAs, siteOf, withStaff } from '../staff/staff-rig.ts'
import { startCollector } from '../tracing/collector.ts'

/**
 * DESIGN rule 9 by search: traffic that carries patients' names and numbers wherever a request has room for them, and
 * the EHR's own answers, at every door, the staff's too; then every place that is written to is searched for any of it:
 * the audit files with all that stands beside them, the search index among it, standard output and error, the metrics,
 * the traces, Redis with the stream and the searches that were kept, what the staff export, the checkpoints' second place,
 * and the spool of the Audit Record Repository. What that repository itself is sent names the patient: that is its purpose.
 */
const marker = 'QvxZyPatient'

/** In whatever form a text may have been written down. */
function forms(word: string): readonly string[] {
  const shifted = [0, 1, 2].map((shift) =>
    Buffer.from('\0'.repeat(shift) + word)
      .toString('base64')
      .slice(shift === 0 ? 0 : 4, -4),
  )
  return [word, Buffer.from(word).toString('hex'), ...shifted.filter((text) => text.length > 7)]
}

const odd = fc.constantFrom(
  '',
  '\n',
  '\r\n{"seq":1}',
  '"',
  '\\',
  '%0a',
  '\u2028',
  '../',
  '|',
  '=',
  "' OR 1=1 --",
)
const told = fc
  .tuple(fc.nat({ max: 999 }), odd)
  .map(([number, text]) => `${marker}${number}${text}`)

/** At the staff's door: what is typed into a search is dropped, or refused, or becomes a pseudonym. */
const staffPaths = [
  told.map((word) => `staff:/?ask=all&user=${enc(word)}&launch=${enc(word)}`),
  told.map((word) => `staff:/?ask=all&patient=${enc(word)}&request=${enc(word)}`),
  told.map((word) => `staff:/?${enc(word)}=${enc(word)}&resource=${enc(word)}`),
  told.map((word) => `staff:/export?format=csv&event=${enc(word)}`),
  told.map((word) => `staff:/launch/${enc(word)}`),
  told.map((word) => `staff:/tenants/${enc(word)}`),
  told.map((word) => `staff:/find?tenant=north&patient=${enc(word)}`),
  told.map((word) => `staff:/saved?title=${enc(word)}&address=${enc('/?ask=all')}`),
  told.map((word) => `staff:/sign-in?name=${enc(word)}&password=${enc(word)}`),
] as const

interface Ask {
  readonly method: string
  readonly path: string
  readonly headers: Readonly<Record<string, string>>
  readonly body: string | undefined
  /** With the cookies of a browser that has a launch. */
  readonly signedIn: boolean
}

const enc = encodeURIComponent
const paths = (launch: string, patient: string) =>
  fc.oneof(
    told.map((word) => `/fhir/${launch}/Patient/${enc(word)}`),
    told.map((word) => `/fhir/${launch}/${enc(word)}`),
    told.map((word) => `/fhir/${launch}/Observation?code=${enc(word)}&date=${enc(word)}`),
    told.map(
      (word) => `/fhir/${launch}/Observation?${enc(word)}=x&subject:Patient.name=${enc(word)}`,
    ),
    told.map((word) => `/fhir/${launch}/Observation/_search?category=${enc(word)}`),
    told.map((word) => `/fhir/${launch}/Patient/${patient}/$${enc(word)}`),
    told.map((word) => `/fhir/${launch}/Observation/${enc(word)}/_history/${enc(word)}`),
    told.map((word) => `/fhir/${launch}/_page/${enc(word)}`),
    told.map((word) => `/fhir/${enc(word)}/Patient/${patient}`),
    told.map((word) => `/launch?iss=${enc(`https://ehr.example/${word}`)}&launch=${enc(word)}`),
    told.map((word) => `/launch/${enc(word)}/chart?iss=x&launch=${enc(word)}`),
    told.map((word) => `/callback/north?state=${enc(word)}&code=${enc(word)}`),
    told.map((word) => `/callback/north?error=${enc(word)}&error_description=${enc(word)}&state=x`),
    told.map((word) => `/launches/${enc(word)}`),
    told.map((word) => `/launches/${launch}/${enc(word)}`),
    told.map((word) => `/app/${launch}/${enc(word)}`),
    told.map((word) => `/assets/${enc(word)}`),
    told.map((word) => `/${enc(word)}`),
    ...staffPaths,
    fc.constant(`/fhir/${launch}/Patient/${patient}`),
    fc.constant(`/fhir/${launch}/Observation?category=vital-signs&_count=5`),
  )

const headers = fc.dictionary(
  fc.constantFrom(
    'if-match',
    'prefer',
    'x-request-id',
    'traceparent',
    'tracestate',
    'baggage',
    'user-agent',
    'referer',
    'x-forwarded-for',
    'authorization',
    'accept',
    'content-type',
    'idempotency-key',
  ),
  told.map((word) => enc(word)),
  { maxKeys: 4 },
)

const asks = (launch: string, patient: string): fc.Arbitrary<Ask> =>
  fc.record({
    method: fc.constantFrom('GET', 'GET', 'GET', 'POST', 'PUT', 'PATCH', 'DELETE', 'HEAD'),
    path: paths(launch, patient),
    headers,
    body: told.map((word) => JSON.stringify({ resourceType: 'Observation', id: word, note: word })),
    signedIn: fc.boolean(),
  })

t.test('the search sees the marker in each form', async (t) => {
  const inBase64 = ['', 'a', 'ab'].map((before) =>
    Buffer.from(`${before}${marker}9`).toString('base64'),
  )
  for (const text of [`x${marker}1`, Buffer.from(marker).toString('hex'), ...inBase64]) {
    t.ok(
      forms(marker).some((form) => text.includes(form)),
      text,
    )
  }
})

t.test('no patient stands in any sink, log, metric or store', async (t) => {
  const redis = await startRedis()
  const collector = await startCollector()
  // A repository that is away: what it is to be sent waits in the spool.
  const repository = await startServer((request, response) => {
    request.resume()
    response.writeHead(503).end()
  })
  const spool = mkdtempSync(join(tmpdir(), 'smart-bff-spool-'))
  t.teardown(async () => {
    await Promise.all([redis.stop(), collector.close(), repository.close()])
    rmSync(spool, { recursive: true, force: true })
  })
  const deployment = await startDeployment({
    root: {
      store: { redis: { url: redis.url } },
      audit: {
        directory: 'unused',
        stdout: true,
        checkpointSeconds: 1,
        checkpoints: { path: 'kept/checkpoints' },
        fhir: { url: `http://127.0.0.1:${repository.port}/fhir`, spool },
      },
      operations: {
        ...withStaff,
        tracing: { endpoint: collector.endpoint, ratio: 1, propagate: true },
      },
    },
  })
  t.teardown(() => deployment.close())
  const [replica] = deployment.replicas
  if (replica === undefined) throw new Error('no replica')
  const { sandbox, publicUrl } = deployment
  const patient = sandbox.patient('amara')
  const browser = replica.browser()
  const launched = await browser.launch({ patient: patient.id })
  const site = siteOf(replica)
  const cookie = await signInAs('auditor', site)
  /** What is posted there stands in the query here. */
  const atStaff = (path: string): Promise<Response> => {
    const url = new URL(path, site)
    return /^\/(?:find|saved|sign-in)$/.test(url.pathname)
      ? postForm(site + url.pathname, Object.fromEntries(url.searchParams), cookie)
      : plainFetch(url, { headers: { cookie } })
  }
  const everywhere = async (): Promise<Map<string, string>> => {
    const places = await everyPlace(deployment, redis.url)
    for (const name of readdirSync(spool)) {
      places.set(`spool/${name}`, readFileSync(join(spool, name), 'latin1'))
    }
    places.set('traces', collector.text())
    for (const format of ['csv', 'ndjson']) {
      // oxlint-disable-next-line no-await-in-loop -- one after the other
      const file = await plainFetch(`${site}/export?ask=all&format=${format}`, {
        headers: { cookie },
      })
      // oxlint-disable-next-line no-await-in-loop -- see above
      places.set(format, await file.text())
    }
    return places
  }
  const send = ({ method, path, headers: more, body, signedIn }: Ask): Promise<Response> => {
    const init = {
      method,
      headers: more,
      ...(method === 'GET' || method === 'HEAD' || body === undefined ? {} : { body }),
    }
    if (path.startsWith('staff:')) return atStaff(path.slice('staff:'.length))
    return signedIn ? browser.fetch(path, init) : plainFetch(publicUrl + path, init)
  }

  // The first checkpoint is a second away.
  for (let tries = 0; tries < 500 && !existsSync(keptPath(replica.auditFolder)); tries += 1) {
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
  // What is drawn may hold no read that is permitted, and then some places would stay empty.
  const read = await browser.fetch(`/fhir/${launched.launch}/Patient/${patient.id}`)
  t.equal(read.status, 200)
  await read.arrayBuffer()
  let sent = 0
  await fc.assert(
    fc.asyncProperty(
      fc.array(asks(launched.launch, patient.id), { minLength: 20, maxLength: 40 }),
      async (list) => {
        for (const ask of list) {
          // oxlint-disable-next-line no-await-in-loop -- one after the other, as a browser would
          if (!(await isAnswered(send(ask)))) throw new Error(`no answer to ${JSON.stringify(ask)}`)
          sent += 1
        }
        const places = await everywhere()
        const found = [...places].flatMap(([place, text]) =>
          forms(marker)
            .filter((form) => text.includes(form))
            .map((form) => `${form} in ${place}`),
        )
        if (found.length > 0) throw new Error(found.join(', '))
      },
    ),
    { numRuns: 6, endOnFailure: true },
  )
  t.ok(sent >= 120, `${sent} requests`)

  for (const path of [
    '/?ask=all&outcome=refused',
    `/saved?title=${marker}&address=${enc('/?ask=all')}`,
    `/find?ask=patient&tenant=north&patient=${patient.id}`,
  ]) {
    // oxlint-disable-next-line no-await-in-loop -- one page after the other
    t.ok((await atStaff(path)).status < 400, path)
  }
  await until(
    () => collector.spans().length,
    (count) => count > 20,
  )
  const places = await everywhere()
  const index = 'audit/replica-0.index.sqlite'
  const named = ['output', 'metrics', 'redis', 'kept/checkpoints', 'traces', 'csv', 'ndjson', index]
  for (const place of named) {
    t.ok((places.get(place) ?? '').length > 50, `${place} holds something`)
  }
  t.ok(
    [...places].some(([place, text]) => place.startsWith('spool/') && text.length > 50),
    'so does the spool',
  )
  t.match(places.get('redis'), 'staff:', 'a search was kept')
  t.match(places.get('ndjson'), '"staff.searched"', 'and what the staff did is on record')
  t.match(places.get('output'), /"event":"fhir\.access".*"hash"/, 'the audit on standard output')
  const words = sandbox.patients.flatMap(({ id, mrn, family, name }) => [id, mrn, family, name])
  for (const [place, text] of places) {
    t.same(
      words.filter((word) => text.includes(word)),
      [],
      place,
    )
  }
  const audit = await deployment.auditText()
  t.ok(audit.includes('"fhir.refused"') && audit.includes('"request.refused"'))
})

/** Refused at the socket counts as answered. */
async function isAnswered(answer: Promise<Response>): Promise<boolean> {
  const late = Promise.withResolvers<boolean>()
  const timer = setTimeout(() => late.resolve(false), 20_000)
  const done = answer.then(
    () => true,
    () => true,
  )
  try {
    return await Promise.race([done, late.promise])
  } finally {
    clearTimeout(timer)
  }
}

const postForm = (url: string, form: Readonly<Record<string, string>>, cookie: string) =>
  plainFetch(url, {
    method: 'POST',
    headers: { 'content-type': 'application/x-www-form-urlencoded', cookie },
    body: new URLSearchParams(form).toString(),
  })

async function everyPlace(deployment: Deployment, redis: string): Promise<Map<string, string>> {
  const [replica] = deployment.replicas
  if (replica === undefined) throw new Error('no replica')
  const { auditFolder } = replica
  const places = new Map<string, string>()
  for (const name of readdirSync(auditFolder)) {
    places.set(`audit/${name}`, readFileSync(join(auditFolder, name), 'latin1'))
  }
  places.set('kept/checkpoints', readFileSync(keptPath(auditFolder), 'latin1'))
  places.set('output', replica.output())
  const metrics = await plainFetch(`${replica.operations()}/metrics`)
  places.set('metrics', await metrics.text())
  places.set('redis', await dump(redis))
  return places
}

const keptPath = (auditFolder: string): string => join(auditFolder, '..', 'kept', 'checkpoints')

/** Every key with its value, of whatever type it is. */
async function dump(url: string): Promise<string> {
  const client = new Redis(url)
  try {
    const texts: string[] = []
    for (const key of await client.keys('*')) {
      const type = await client.type(key)
      const read: Readonly<Record<string, () => Promise<unknown>>> = {
        string: () => client.get(key),
        hash: () => client.hgetall(key),
        set: () => client.smembers(key),
        zset: () => client.zrange(key, '0', '-1'),
        stream: () => client.xrange(key, '-', '+'),
        list: () => client.lrange(key, 0, -1),
      }
      texts.push(key, JSON.stringify(await read[type]?.()))
    }
    return texts.join('\n')
  } finally {
    client.disconnect()
  }
}
