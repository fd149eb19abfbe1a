import { hash } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { Redis } from 'ioredis'
import t from 'tap'
import { Secret } from '../../src/config/secret.ts'
import { createKeyRing } from '../../src/vault/key-ring.ts'
import { startHospital } from '../support/hospital.ts'
import { plainFetch } from '../support/http.ts'
import { newSecretKey } from '../support/keys.ts'
import { dumpRedis } from '../support/redis-dump.ts'
import { startRedis } from '../support/redis.ts'

/** Somebody has a dump of Redis and this source code: it opens nothing and names nobody (DESIGN rule 10). */
t.test('a dump of Redis opens nothing and names nobody', async (t) => {
  const redis = await startRedis()
  const raw = new Redis(redis.port, { replyMapping: 'legacy' })
  const hospital = await startHospital({
    root: { store: { redis: { url: redis.url } } },
    mode: { scopes: ['launch', 'openid', 'fhirUser', 'offline_access', 'patient/Patient.rs'] },
  })
  t.teardown(async () => {
    await hospital.close()
    raw.disconnect()
    await redis.stop()
  })
  const { sandbox, publicUrl } = hospital
  const cookies: string[] = []
  const urls: string[] = []
  for (const { id: patient } of sandbox.patients.slice(0, 3)) {
    const browser = hospital.browser()
    const { launch, trail } = await browser.launch({ patient })
    urls.push(...trail)
    const json = { 'content-type': 'application/json', origin: publicUrl, 'if-match': '*' }
    const read = await browser.fetch(`/launches/${launch}/draft`)
    await browser.fetch(`/launches/${launch}/draft`, {
      method: 'PUT',
      headers: { ...json, 'if-match': read.headers.get('etag') ?? '' },
      body: JSON.stringify({ note: `a note about ${patient}` }),
    })
    sandbox.control.revoke('access')
    const answer = await browser.fetch(`/fhir/${launch}/Patient/${patient}`)
    t.equal(answer.status, 200, 'with a second generation of tokens')
    await answer.body?.cancel()
    // One more is on its way to the EHR.
    urls.push(...(await browser.navigate(sandbox.createLaunch({ patient }).url, stopAtEhr)).trail)
    cookies.push(...browser.jar.cookies.values())
  }
  function stopAtEhr(url: string): string {
    return url.startsWith(sandbox.origin) ? `${publicUrl}/healthz?${new URL(url).search}` : url
  }

  // The newest audit records are copied there a little later.
  const copied = async (): Promise<number> => {
    const [[, fields] = ['', []]] = await raw.xrevrange('audit:batches', '+', '-', 'COUNT', 1)
    return Number(fields[fields.indexOf('upTo') + 1] ?? 0)
  }
  while ((await copied()) < (await hospital.audit()).length) await sleep(50)
  const dump = await dumpRedis(raw)
  const kinds = new Set([...dump.keys()].map((key) => key.split(/[:{]/)[0]))
  for (const kind of [
    'tx',
    'bind',
    'sess',
    'launches',
    'launch',
    'draft',
    'count',
    'due',
    'index',
    'audit',
  ]) {
    t.ok(kinds.has(kind), `${kind} is in it`)
  }
  const text = [...dump].flat().join('\n')

  const protocol = sandbox
    .requests()
    .flatMap(({ form = {}, query }) =>
      [
        'code',
        'code_verifier',
        'client_assertion',
        'refresh_token',
        'state',
        'nonce',
        'launch',
      ].flatMap((name) => [...(form[name] ?? []), ...(query[name] ?? [])]),
    )
  const inUrls = urls.flatMap((url) => {
    const { searchParams } = new URL(url)
    return ['launch', 'code', 'state', 'nonce', 'code_challenge'].flatMap((name) =>
      searchParams.getAll(name),
    )
  })
  const secrets = [
    ...sandbox.control.issued(),
    ...protocol,
    ...inUrls,
    ...cookies,
    ...cookieIds(),
  ].filter((secret) => secret.length > 16)
  function cookieIds(): string[] {
    return cookies.map((value) => decodeURIComponent(value).split('.')[0] ?? '')
  }
  t.ok(secrets.length > 40)
  t.strictSame(
    secrets.filter((secret) => text.includes(secret)),
    [],
    'no token, code or cookie',
  )

  const records = (await hospital.audit()).map(({ user }) => user)
  const users = [...new Set(records)].filter((user) => typeof user === 'string')
  t.ok(users.length > 0)
  const persons = [
    ...sandbox.patients.flatMap(({ id, mrn, family, name }) => [
      id,
      mrn,
      family,
      name,
      `Patient/${id}`,
    ]),
    ...users,
    '127.0.0.1',
    '::1',
    'a note about',
  ]
  t.strictSame(
    persons.filter((word) => text.includes(word)),
    [],
    'no patient, user or workstation',
  )
  const hashed = persons.flatMap((word) =>
    (['hex', 'base64', 'base64url'] as const).map((form) => hash('sha256', word, form)),
  )
  t.strictSame(
    hashed.filter((word) => text.includes(word.slice(0, 20))),
    [],
    'nor the bare hash of one, which is found by trying them all',
  )

  const boxes = [...text.matchAll(/v1\.[\w-]+\.[\w-]{40,}/g)].map(([box]) => box)
  t.ok(boxes.length >= 9)
  const guess = createKeyRing([{ id: 'k1', secret: new Secret(newSecretKey()) }])
  const purposes = ['session', 'launch', 'pending', 'binding', 'draft'] as const
  for (const [key, value] of dump) {
    for (const [box] of value.matchAll(/v1\.[\w-]+\.[\w-]{40,}/g)) {
      for (const purpose of purposes) t.equal(guess.open(purpose, key, box).ok, false)
    }
  }

  // What stands in it is no cookie and no state either.
  const names = [...text.matchAll(/[\w-]{32,64}/g)].map(([name]) => name)
  for (const name of [...new Set(names)].slice(0, 60)) {
    for (const cookie of [name, `${name}.${name}`, `${name}.`]) {
      const answer = await plainFetch(`${publicUrl}/launches/${name}`, {
        headers: { 'smart-bff': '1', cookie: `__Host-smart-bff=${cookie}` },
      })
      if (answer.status !== 401) t.equal(answer.status, 401, `${name} as a cookie`)
      await answer.body?.cancel()
    }
    const callback = await plainFetch(`${publicUrl}/callback/north?code=x&state=${name}`, {
      headers: { cookie: `__Host-smart-bff.tx.1=${name}` },
    })
    if (callback.status !== 400) t.equal(callback.status, 400, `${name} as a state`)
    await callback.body?.cancel()
  }
})
