import { spawnSync } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { createAudit } from '../../src/audit/audit.ts'
import { auditConfig, publicKey } from './support.ts'

/** The script of docs/audit.md, taken out of the page and run on a log: an auditor needs nothing of ours. */
const page = readFileSync(new URL('../../docs/audit.md', import.meta.url), 'utf8')
const script = /```js\n([^]*?)```/.exec(page)?.[1] ?? ''

t.test('the documented script verifies a log, and names what was changed', async (t) => {
  const config = auditConfig()
  const { directory } = config.audit
  const began = Date.parse('2026-03-01T12:00:00.000Z')
  for (const day of [0, 1, 9]) {
    const audit = await createAudit({ config, now: () => began + day * 86_400_000 })
    await audit.record({ event: 'fhir.access', outcome: 'success', patient: ['p1', 'p2'] })
    await audit.close()
  }
  const file = join(directory, 'verify.mjs')
  const key = join(directory, 'public.pem')
  writeFileSync(file, script)
  writeFileSync(key, publicKey.export({ type: 'spki', format: 'pem' }))
  const run = () => spawnSync(process.execPath, [file, directory, key]).stdout.toString()
  t.match(run(), /^whole \{\s+one: \{\s+seq: 11,/)
  const last = join(directory, '2026-03-10.one.jsonl')
  const text = readFileSync(last, 'utf8')
  writeFileSync(last, text.replace('"success"', '"refused"'))
  t.match(run(), /^BROKEN 2026-03-10\.one\.jsonl 7: changed/)
  writeFileSync(last, text.replace(/^\{"seq":10,.*\n/m, ''))
  t.match(run(), /^BROKEN 2026-03-10\.one\.jsonl 11: not linked/)
  writeFileSync(last, text.split('\n').slice(0, -2).join('\n') + '\n')
  t.match(run(), /^BROKEN 2026-03-10\.one\.jsonl 11: not the record that was signed/)
})

t.ok(script.trim().split('\n').length <= 30, 'short enough to be read before it is trusted')
