import { createAudit } from '../../../src/audit/audit.ts'
import { createStore } from '../../../src/store/create.ts'
import { createKeyRing } from '../../../src/vault/key-ring.ts'
import { writeRecord } from '../../../src/vault/record-text.ts'
import { say } from '../harness.ts'
import type { Lab } from '../harness.ts'
import { createMaker } from '../parts/ours.ts'
import { rawConfiguration } from '../parts/configuration.ts'
import { launchRecord } from '../parts/launch-record.ts'
import type { Figures, Plan } from '../bench.ts'
import { accessEvent } from '../parts/access-event.ts'

/** What store, vault and audit cost by themselves: CPU of this process for each call, fifty at a time. */
const atOnce = 50

export async function parts(lab: Lab, plan: Plan): Promise<Figures> {
  const { file } = rawConfiguration({ ehr: lab.ehr, redisUrl: lab.redis.url })
  const maker = createMaker(file)
  const audit = await createAudit({ config: maker.config })
  const embedded = createStore({ memory: {} }, { now: Date.now, onFault: () => undefined })
  try {
    const { session, launch } = await maker.make()
    const key = { session, launch }
    const ring = createKeyRing(maker.config.keys.encryption)
    const text = writeRecord(launchRecord(launch, Date.now()))
    const name = `launch:{${session}}:${launch}`
    const box = ring.sealPacked('launch', name, text)
    const far = Date.now() + 3_600_000
    const jobs: Record<string, () => Promise<unknown>> = {
      'store (Redis): read a launch': () => maker.store.readLaunch(key),
      'store (Redis): create a session and a launch': () => maker.make(),
      'store (embedded): read a launch': () => embedded.readLaunch(key),
      'store (Redis): take and release a lease': async () => {
        const lease = `refresh:{${session}}:${String(Math.random())}`
        await maker.store.acquireLease(lease, 'x', 10_000)
        await maker.store.releaseLease(lease, 'x')
      },
      'vault: open a launch (Redis and unsealing)': () => maker.vault.open(key),
      'vault: pack and seal a record': async () => ring.sealPacked('launch', name, text),
      'vault: unseal and unpack a record': async () => ring.open('launch', name, box),
      'audit: record a FHIR call': () => audit.record(accessEvent),
    }
    await embedded.createSession(session, 'x', far)
    await embedded.createLaunch(key, { sealed: box, idleAt: far, expiresAt: far })
    say('\n| part | CPU µs a call | calls/s |\n| --- | ---: | ---: |')
    const figures: Record<string, number> = {}
    for (const [title, job] of Object.entries(jobs)) {
      figures[title] = await measure(title, job, plan.calls)
    }
    return figures
  } finally {
    await maker.close()
    await embedded.close()
    await audit.close()
  }
}

async function measure(title: string, job: () => Promise<unknown>, calls: number): Promise<number> {
  const run = async (): Promise<void> => {
    for (let done = 0; done < calls; done += atOnce) {
      // oxlint-disable-next-line no-await-in-loop -- fifty at a time
      await Promise.all(Array.from({ length: atOnce }, job))
    }
  }
  await run()
  const costs: { cpu: number; wall: number }[] = []
  for (let round = 0; round < 3; round += 1) {
    const cpu = process.cpuUsage()
    const started = performance.now()
    // oxlint-disable-next-line no-await-in-loop -- one round after the other
    await run()
    const used = process.cpuUsage(cpu)
    costs.push({ cpu: (used.user + used.system) / calls, wall: performance.now() - started })
  }
  const [best = { cpu: 0, wall: 1 }] = costs.toSorted((a, b) => a.cpu - b.cpu)
  say(`| ${title} | ${best.cpu.toFixed(1)} | ${((calls / best.wall) * 1000).toFixed(0)} |`)
  return best.cpu
}
