import { generateKeyPairSync } from 'node:crypto'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import t from 'tap'
import type { Sandbox } from '../../src/sandbox/sandbox.ts'
import { startSandbox } from '../../src/sandbox/sandbox.ts'
import type { TokenAnswer } from './app.ts'
import {
  assertion,
  authorize,
  authorizeParameters,
  clientId,
  fhir,
  launchApp,
  pkce,
  redirectUri,
  token,
} from './app.ts'

const scope = 'offline_access openid fhirUser patient/*.rs'

const refresh = (sandbox: Sandbox, refresh_token: string | undefined, more = {}) =>
  token(sandbox, {
    grant_type: 'refresh_token',
    refresh_token: refresh_token ?? '',
    client_id: clientId,
    ...more,
  })

t.test('refresh', async (t) => {
  const sandbox = await startSandbox()
  t.teardown(() => sandbox.close())
  t.beforeEach(() => sandbox.control.reset())
  const patient = sandbox.patient('amara')
  const works = async (answer: TokenAnswer) =>
    (await fhir(sandbox, answer, `/Patient/${patient.id}`)).status

  await t.test('rotates, repeats the context, and notices reuse', async (t) => {
    const first = await launchApp(sandbox, scope)
    const second = await refresh(sandbox, first.refresh_token)
    t.equal(second.status, 200)
    t.match(second.body, { patient: patient.id, scope: `launch ${scope}` })
    t.not(second.body.refresh_token, first.refresh_token)
    t.equal(await works(second.body), 200)
    const reused = await refresh(sandbox, first.refresh_token)
    t.equal(reused.body.error, 'invalid_grant')
    t.equal(await works(second.body), 401, 'reuse ends the whole grant')
    t.equal((await refresh(sandbox, second.body.refresh_token)).body.error, 'invalid_grant')
  })

  await t.test('keeps the token where the EHR does not rotate', async (t) => {
    sandbox.control.set({ refreshTokens: 'keep' })
    const first = await launchApp(sandbox, scope)
    const second = await refresh(sandbox, first.refresh_token)
    t.equal(second.body.refresh_token, first.refresh_token)
    t.equal((await refresh(sandbox, first.refresh_token)).status, 200)
  })

  await t.test('narrows the scope when asked, never widens it', async (t) => {
    const first = await launchApp(sandbox, scope)
    const wider = await refresh(sandbox, first.refresh_token, { scope: 'user/*.cruds' })
    t.equal(wider.body.error, 'invalid_scope')
    const narrow = await refresh(sandbox, first.refresh_token, { scope: 'patient/*.rs' })
    t.equal(narrow.body.scope, 'patient/*.rs')
  })

  await t.test('is for online_access as well, and for nothing else', async (t) => {
    t.ok((await launchApp(sandbox, 'online_access patient/*.rs')).refresh_token)
    t.notOk((await launchApp(sandbox, 'patient/*.rs')).refresh_token)
  })

  await t.test('revocation and introspection', async (t) => {
    const answer = await launchApp(sandbox, scope)
    const ask = async (path: string, value: string) => {
      const body = new URLSearchParams({ token: value, client_id: clientId })
      return fetch(`${sandbox.origin}/oauth/${path}`, { method: 'POST', body })
    }
    const known = await (await ask('introspect', answer.access_token)).json()
    t.match(known, {
      active: true,
      client_id: clientId,
      patient: patient.id,
      fhirUser: `${sandbox.iss}/Practitioner/${sandbox.clinicians[0]?.id ?? ''}`,
    })
    t.equal((await ask('revoke', answer.refresh_token ?? '')).status, 200)
    t.equal((await refresh(sandbox, answer.refresh_token)).body.error, 'invalid_grant')
    t.equal((await ask('revoke', answer.access_token)).status, 200)
    t.equal(await works(answer), 401)
    t.match(await (await ask('introspect', answer.access_token)).json(), { active: false })
  })
})

t.test('client authentication', async (t) => {
  const es384 = generateKeyPairSync('ec', { namedCurve: 'P-384' })
  const rs384 = generateKeyPairSync('rsa', { modulusLength: 2048 })
  const keys = [
    { ...es384.publicKey.export({ format: 'jwk' }), kid: 'e1', alg: 'ES384', use: 'sig' },
    { ...rs384.publicKey.export({ format: 'jwk' }), kid: 'r1', alg: 'RS384', use: 'sig' },
  ]
  const jwks = createServer((_request, response) => {
    response.setHeader('content-type', 'application/json')
    response.end(JSON.stringify({ keys }))
  })
  await new Promise<void>((resolve) => jwks.listen(0, 'localhost', resolve))
  t.teardown(() => jwks.close())
  const jwksUri = `http://localhost:${(jwks.address() as AddressInfo).port}/jwks.json`
  const assertionType = 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer'

  /** A launch up to the token request, which the caller finishes. */
  const exchange = async (
    sandbox: Sandbox,
    form: Record<string, string>,
    headers: Record<string, string> = {},
  ) => {
    const { verifier, challenge } = pkce()
    const { launch } = sandbox.createLaunch({ patient: sandbox.patient('amara').id })
    const asked = authorizeParameters(sandbox, 'launch patient/*.rs', challenge, { launch })
    const { answer } = await authorize(sandbox, asked)
    return token(
      sandbox,
      {
        grant_type: 'authorization_code',
        code: answer.get('code') ?? '',
        redirect_uri: redirectUri,
        code_verifier: verifier,
        ...form,
      },
      headers,
    )
  }

  for (const [name, registered] of [
    ['inline keys', { jwks: { keys } }],
    ['keys fetched from the app', { jwksUri }],
  ] as const) {
    await t.test(`private_key_jwt with ${name}`, async (t) => {
      const sandbox = await startSandbox({
        clients: [
          { clientId, auth: 'private_key_jwt', redirectUris: [redirectUri], ...registered },
        ],
      })
      t.teardown(() => sandbox.close())
      const signed = async (
        key: typeof es384.privateKey,
        alg: string,
        kid: string,
        claims = {},
      ) => ({
        client_assertion_type: assertionType,
        client_assertion: await assertion(sandbox, key, { alg, kid }, claims),
      })
      const form = await signed(es384.privateKey, 'ES384', 'e1')
      t.equal((await exchange(sandbox, form)).status, 200)
      t.equal((await exchange(sandbox, form)).body.error, 'invalid_client', 'a jti works once')
      const rsa = await signed(rs384.privateKey, 'RS384', 'r1')
      t.equal((await exchange(sandbox, rsa)).status, 200)
      const foreign = generateKeyPairSync('ec', { namedCurve: 'P-384' }).privateKey
      const forged = await signed(foreign, 'ES384', 'e1')
      t.equal((await exchange(sandbox, forged)).body.error, 'invalid_client')
      t.not((await exchange(sandbox, { client_id: clientId })).status, 200)
    })
  }

  await t.test('secrets by Basic and in the form', async (t) => {
    for (const auth of ['client_secret_basic', 'client_secret_post'] as const) {
      const sandbox = await startSandbox({
        clients: [{ clientId, auth, secret: 's3cret-value', redirectUris: [redirectUri] }],
      })
      const basic = (secret: string) => ({
        authorization: `Basic ${Buffer.from(`${clientId}:${secret}`).toString('base64')}`,
      })
      t.equal((await exchange(sandbox, {}, basic('s3cret-value'))).status, 200)
      t.equal((await exchange(sandbox, {}, basic('wrong'))).status, 401)
      const form = { client_id: clientId, client_secret: 's3cret-value' }
      t.equal((await exchange(sandbox, form)).status, 200)
      t.not((await exchange(sandbox, { client_id: clientId })).status, 200, 'a secret is needed')
      await sandbox.close()
    }
  })
})
