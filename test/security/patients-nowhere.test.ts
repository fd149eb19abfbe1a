import { existsSync, readFileSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import * as fc from 'fast-check'
import { Redis } from 'ioredis'
import t from 'tap'
import { startDeployment } from '../support/deployment.ts'
import type { Deployment } from '../support/deployment.ts'
import { plainFetch } from '../support/http.ts'
import { startRedis } from '../support/redis.ts'

/**
 * DESIGN rule 9 by search: traffic that carries patients' names and numbers wherever a request has room for them, and
 * the EHR's own answers, at every door; then every place that is written to is searched for any of it: the audit files
 * with all that stands beside them, standard output and error, the metrics, Redis, the checkpoints' second place.
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
  t.teardown(() => redis.stop())
  const deployment = await startDeployment({
    root: {
      store: { redis: { url: redis.url } },
      audit: {
        directory: 'unused',
        stdout: true,
        checkpointSeconds: 1,
        checkpoints: { path: 'kept/checkpoints' },
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
  const send = ({ method, path, headers: more, body, signedIn }: Ask): Promise<Response> => {
    const init = {
      method,
      headers: more,
      ...(method === 'GET' || method === 'HEAD' || body === undefined ? {} : { body }),
    }
    return signedIn ? browser.fetch(path, init) : plainFetch(publicUrl + path, init)
  }

  // The first checkpoint is a second away.
  for (let tries = 0; tries < 500 && !existsSync(keptPath(replica.auditFolder)); tries += 1) {
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
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
        const places = await everyPlace(deployment, redis.url)
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

  const places = await everyPlace(deployment, redis.url)
  for (const place of ['output', 'metrics', 'redis', 'kept/checkpoints']) {
    t.ok((places.get(place) ?? '').length > 50, `${place} holds something`)
  }
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
