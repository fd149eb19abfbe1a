import { spawnSync } from 'node:child_process'
import { readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { open } from 'node:fs/promises'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import t from 'tap'
import { createAudit } from '../../src/audit/audit.ts'
import { scanAudit } from '../../src/audit/scan.ts'
import { verifyAudit } from '../../src/audit/verify.ts'
import { auditConfig, publicKey } from './support.ts'

/** Three days. The first file is a pipe: what reads the folder has listed it, and waits for what the test writes. */
async function liveFolder() {
  const config = auditConfig()
  const { directory } = config.audit
  const [first, second] = [1, 2].map((day) => join(directory, `2026-03-0${String(day)}.one.jsonl`))
  for (const day of [1, 2, 3]) {
    const at = Date.parse(`2026-03-0${String(day)}T12:00:00.000Z`)
    await (await createAudit({ config, now: () => at })).close()
  }
  const text = readFileSync(first ?? '', 'utf8')
  rmSync(first ?? '')
  spawnSync('mkfifo', [first ?? ''])
  /** Resolves once somebody reads the first file. */
  const begun = async () => {
    const pipe = await open(first ?? '', 'w')
    return async () => {
      await pipe.writeFile(text)
      await pipe.close()
    }
  }
  return { directory, first: first ?? '', second: second ?? '', begun }
}

function compress(path: string): void {
  writeFileSync(`${path}.gz.new`, gzipSync(readFileSync(path)))
  renameSync(`${path}.gz.new`, `${path}.gz`)
  rmSync(path)
}

t.test('a file that is compressed while the folder is verified', async (t) => {
  const { directory, second, begun } = await liveFolder()
  const verified = verifyAudit({ directory, publicKey })
  const goOn = await begun()
  compress(second)
  await goOn()
  t.match((await verified).logs, [{ records: 6, first: 1, faults: [] }])
})

t.test('files that retention removes while the folder is verified', async (t) => {
  const { directory, first, second, begun } = await liveFolder()
  const verified = verifyAudit({ directory, publicKey })
  const goOn = await begun()
  rmSync(first)
  rmSync(second)
  await goOn()
  t.match((await verified).logs, [{ records: 2, first: 5, faults: [] }])
})

t.test('a search meanwhile finds what is there', async (t) => {
  for (const [change, expected] of [
    [compress, 6],
    [rmSync, 4],
  ] as const) {
    const { directory, second, begun } = await liveFolder()
    const scanned = scanAudit([directory], { limit: 100 }, () => true)
    const goOn = await begun()
    change(second)
    await goOn()
    t.match(await scanned, { lines: expected, unreadable: 0 })
  }
})
