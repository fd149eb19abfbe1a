import { readdirSync, readFileSync } from 'node:fs'
import t from 'tap'

/** The acceptance checklist of a SMART client: each item is a test of this very name in test/flows/checklist-*. */
const checklist: Readonly<Record<string, readonly string[]>> = {
  Launch: [
    'unknown iss rejected with no outbound call',
    'iss with/without slash kept verbatim in aud',
    'missing launch on /launch rejected',
    'two parallel launches in one browser keep separate patients',
    'replayed state rejected',
    'state from another session rejected',
    'state entropy',
  ],
  Discovery: [
    'well-known ok',
    'relative endpoints',
    '404 -> metadata fallback',
    '`plain`-only PKCE refused',
    'cache and invalidation',
  ],
  Authorize: ['GET and POST', 'all nine parameters', 'standalone omits launch', 'no max_age'],
  Token: [
    'verifier, redirect_uri, no client_id when confidential',
    'RS384 and ES384 assertions',
    'jti unique across exchange and refresh',
    'exp <= 300 s',
    'raw and URL-encoded Basic',
  ],
  Refresh: [
    'single-flight under concurrency',
    'keep old token if none returned',
    'replace if returned',
    'context preserved',
    'null members',
    'invalid_grant (400/401/403) -> relaunch state',
    'scope narrowing detected',
  ],
  Identity: [
    'relative and absolute fhirUser',
    'iss mismatch',
    'wrong aud',
    'bad signature',
    'missing id_token tolerated when openid not granted',
  ],
  Context: [
    'banner "true"/"false"/true/false/absent',
    'fhirContext with role/canonical/identifier',
    'unknown extras dropped',
    'non-string patient',
  ],
  Scopes: [
    'v1',
    'v2',
    'granular',
    'wildcard',
    'wrong order',
    'case variants',
    'URI prefix',
    'empty',
    'missing',
  ],
  Proxy: [
    'per-interaction action table',
    'batch per entry',
    'next-link rewriting',
    'no token to foreign origins',
    'no redirect following with Authorization',
  ],
  JWKS: [
    'GET without auth, Cache-Control',
    'two keys during rotation',
    'no private members (`d,p,q,dp,dq,qi`)',
  ],
  Headers: ['CSP frame-ancestors from config, no X-Frame-Options, cookie flags'],
}

const folder = new URL('../flows/', import.meta.url)
const source = readdirSync(folder)
  .filter((name) => /^checklist-.*\.test\.ts$/.test(name))
  .map((name) => readFileSync(new URL(name, folder), 'utf8'))
  .join('\n')

/** `t.test('name', …` or the first column of a table whose rows become tests. */
const isTest = (name: string): boolean =>
  new RegExp(String.raw`(\bt\.test\(|\[)\s*'${RegExp.escape(name)}',`).test(source)

t.test('each item of the acceptance checklist is a test of that name', (t) => {
  for (const [part, names] of Object.entries(checklist)) {
    for (const name of names) t.ok(isTest(name), `${part}: ${name}`)
  }
  t.notOk(isTest('something nobody tests'))
  t.end()
})
