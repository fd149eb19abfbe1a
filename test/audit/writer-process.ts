import { writeSync } from 'node:fs'
import { createAudit } from '../../src/audit/audit.ts'
import { auditConfig, signingKeyOf } from './support.ts'

// A process that is killed at any moment: every record whose promise resolved is told on standard output, by number.
const [directory = '', durability = 'write', limit = '100000', signing = ''] = process.argv.slice(2)
const config = auditConfig({
  directory,
  durability: durability === 'fsync' ? 'fsync' : 'write',
  checkpointSeconds: 1,
})
const audit = await createAudit({
  config: { ...config, keys: { ...config.keys, signing: signingKeyOf(signing) } },
})
const patient = Array.from({ length: 20 }, (_, index) => `p${String(index)}`)

async function worker(from: number, step: number): Promise<void> {
  for (let count = from; count < Number(limit); count += step) {
    await audit.record({
      event: 'fhir.access',
      outcome: 'success',
      tenant: 'north',
      patient,
      count,
    })
    writeSync(1, `${String(count)}\n`)
  }
}
try {
  await Promise.all(Array.from({ length: 20 }, (_, index) => worker(index, 20)))
  await audit.close()
} catch (error) {
  const code: unknown = error instanceof Error && 'code' in error ? error.code : 'unknown'
  writeSync(1, `failed ${String(code)}\n`)
  process.exit(3)
}
