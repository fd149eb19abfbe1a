import { readFileSync, readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { createAudit } from '../../src/audit/audit.ts'
import { recordConfiguration } from '../../src/audit/configuration.ts'
import { configOf, rawConfig, rawTenant } from '../support/config.ts'
import type { Raw } from '../support/config.ts'
import { newSecretKey, newSigningKey } from '../support/keys.ts'
import { auditConfig, readRecords } from './support.ts'

/** Starts with one configuration after the other; answers what each start recorded. */
async function starts(directory: string, raws: readonly Raw[]) {
  const found: string[][] = []
  for (const raw of raws) {
    const config = configOf({ ...raw, instance: 'one', audit: { directory } })
    const audit = await createAudit({ config })
    await recordConfiguration(config, audit)
    await audit.close()
    const records = await readRecords(directory)
    const opened = records.findLastIndex(({ event }) => event === 'audit.opened')
    found.push(
      records
        .slice(opened)
        .filter(({ event }) => /^(config|keys)\./.test(event))
        .map(({ event, parameters = [] }) => [event, ...parameters].join(' ')),
    )
  }
  return found
}

t.test('each start says with what it runs, and what changed since the last', async (t) => {
  const { directory } = auditConfig().audit
  const raw = rawConfig()
  const keys = raw['keys'] as Raw
  const tenants = raw['tenants'] as Raw[]
  const rotated = {
    ...keys,
    encryption: [{ id: 'k2', secret: newSecretKey() }, ...(keys['encryption'] as Raw[])],
  }
  const client = { id: 'smart-bff-test', auth: 'client_secret_basic', secret: 'a secret of ours' }
  const changed = { ...tenants[0], client, name: 'South' }
  const found = await starts(directory, [
    raw,
    raw,
    { ...raw, session: { idleMinutes: 5 } },
    { ...raw, session: { idleMinutes: 5 }, keys: rotated },
    { ...raw, session: { idleMinutes: 5 }, keys: rotated, tenants: [changed] },
    {
      ...raw,
      session: { idleMinutes: 5 },
      keys: { ...rotated, signing: newSigningKey() },
      tenants: [changed, rawTenant({ id: 'west', iss: 'http://127.0.0.1:9001/fhir' })],
    },
  ])
  t.strictSame(found, [
    ['config.loaded'],
    ['config.loaded'],
    ['config.loaded', 'config.changed section=session'],
    ['config.loaded', 'config.changed section=keys', 'keys.changed keys=encryption'],
    ['config.loaded', 'config.changed tenant=north', 'keys.changed tenant=north'],
    ['config.loaded', 'config.changed tenant=west', 'keys.changed keys=signing'],
  ])
  const versions = (await readRecords(directory)).flatMap(({ event, version }) =>
    event === 'config.loaded' ? [version] : [],
  )
  t.equal(versions[0], versions[1])
  t.equal(new Set(versions).size, 5, 'the version names the configuration')
  const text = readFileSync(join(directory, 'one.configuration'), 'utf8')
  t.notMatch(text, /a secret of ours|South/)
  for (const secret of JSON.stringify(keys).match(/[A-Za-z0-9_-]{43}/g) ?? []) {
    t.notOk(text.includes(secret))
  }
  t.ok(readdirSync(directory).includes('one.configuration'))
})

t.test('what was remembered and cannot be read is as if there were nothing', async (t) => {
  const { directory } = auditConfig().audit
  for (const text of ['no JSON', '{"sections":1}']) {
    writeFileSync(join(directory, 'one.configuration'), text)
    t.strictSame(await starts(directory, [rawConfig()]), [['config.loaded']])
  }
})
