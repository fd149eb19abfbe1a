import { appendFileSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Test } from 'tap'
import { startDeployment, type Deployment, type Replica } from './deployment.ts'
import { tellFigures } from './figures.ts'
import type { TestBrowser } from './hospital.ts'
import { startRedis } from './redis.ts'
import { until } from './until.ts'

/**
 * A replica that answers people is killed with SIGKILL, round after round. Whatever was answered before has its record
 * in the files that are left; the next start repairs them and says so, and the log verifies.
 */
export interface KilledOptions {
  readonly rounds: number
  readonly durability: 'write' | 'fsync'
  /** Answers before the kill, at least; some more by chance. */
  readonly answers: number
  readonly limitMs: number
}

interface Chart {
  readonly browser: TestBrowser
  readonly launch: string
  readonly patient: string
}

const charts = 8

export async function killUnderLoad(t: Test, options: KilledOptions): Promise<void> {
  const redis = await startRedis()
  const deployment = await startDeployment({
    replicas: 2,
    limitMs: options.limitMs,
    root: {
      store: { redis: { url: redis.url } },
      logging: { level: 'warn' },
      audit: { directory: '/replaced', durability: options.durability, checkpointSeconds: 1 },
      rateLimits: { fhirPerLaunchPerMinute: 10_000_000 },
    },
  })
  t.teardown(async () => {
    await deployment.close()
    await redis.stop()
  })
  const [killed, other] = deployment.replicas
  if (killed === undefined || other === undefined) throw new Error('two replicas')
  const own = await Promise.all(
    Array.from({ length: charts }, (_, n) => open(deployment, killed, n)),
  )
  const others = await Promise.all([open(deployment, other, 0), open(deployment, other, 1)])
  let recorded = 0
  for (let round = 0; round < options.rounds; round += 1) {
    const load = begin(own)
    const beside = begin(others)
    const wanted = options.answers + Math.random() * 60
    // oxlint-disable-next-line no-await-in-loop -- one kill after the other
    await until(
      () => load.answered.length,
      (count) => count >= wanted,
    )
    // oxlint-disable-next-line no-await-in-loop -- see above
    await killed.kill()
    // oxlint-disable-next-line no-await-in-loop -- see above
    await Promise.all([load.stop(), beside.stop()])
    const left = readAudit(killed.auditFolder)
    const lost = [...load.answered, ...beside.answered].filter(
      (incident) => !isOnRecord(left, incident),
    )
    if (lost.length > 0) throw new Error(`round ${round}: ${lost.length} answers without a record`)
    recorded += load.answered.length
    const torn = round % 2 === 0
    // What a power cut leaves: half of a line that nobody was answered for.
    if (torn) appendFileSync(newestOf(killed.auditFolder), '{"seq":4711,"time":"2026-0')
    // oxlint-disable-next-line no-await-in-loop -- see above
    await killed.start()
    const text = readAudit(killed.auditFolder)
    const opened = text
      .split('\n')
      .findLast((line) => line.includes('"audit.opened"') && ofTheKilled(line))
    t.match(opened, '"reason":"not_closed"', `round ${round}: the start says how it was left`)
    if (torn) t.match(text, /"event":"audit\.repaired".*"reason":"torn_line"/)
    // oxlint-disable-next-line no-await-in-loop -- see above
    const { code, output } = await deployment.run(['audit', 'verify'])
    if (code !== 0) throw new Error(`round ${round}: ${output}`)
  }
  t.ok(recorded >= options.rounds * options.answers, `${recorded} answers, each with its record`)
  const text = readAudit(killed.auditFolder)
  const repairs = text.match(/"reason":"torn_line"/g)?.length ?? 0
  t.ok(repairs >= Math.ceil(options.rounds / 2), 'every torn line is on record')
  t.match(readdirSync(killed.auditFolder).join(' '), /\.jsonl\.torn/, 'and set aside')
  const { rounds, durability } = options
  tellFigures(t, { [durability]: { kills: rounds, answersOnRecord: recorded, repairs } })
}

const ofTheKilled = (line: string): boolean => line.includes('"instance":"replica-0"')

async function open({ sandbox }: Deployment, replica: Replica, n: number): Promise<Chart> {
  const patient = sandbox.patients[n % sandbox.patients.length]?.id ?? ''
  const browser = replica.browser()
  const { launch } = await browser.launch({ patient })
  return { browser, launch, patient }
}

/** Reads until it is stopped. An answer counts from its headers on: then something has left. */
function begin(list: readonly Chart[]) {
  const answered: string[] = []
  const halt = new AbortController()
  async function read({ browser, launch, patient }: Chart): Promise<void> {
    while (!halt.signal.aborted) {
      const path = Math.random() < 0.3 ? 'Observation?category=vital-signs' : `Patient/${patient}`
      try {
        // oxlint-disable-next-line no-await-in-loop -- one after the other, as a chart does
        const response = await browser.fetch(`/fhir/${launch}/${path}`)
        if (response.status === 200)
          answered.push(response.headers.get('smart-bff-request') ?? 'none')
        // oxlint-disable-next-line no-await-in-loop -- see above
        await response.arrayBuffer()
      } catch {
        // Killed in the middle of it.
        return
      }
    }
  }
  const all = list.map(read)
  return {
    answered,
    stop: async () => {
      halt.abort()
      await Promise.all(all)
    },
  }
}

const readAudit = (folder: string): string =>
  readdirSync(folder)
    .filter((name) => name.endsWith('.jsonl'))
    .toSorted()
    .map((name) => readFileSync(join(folder, name), 'utf8'))
    .join('')

const isOnRecord = (text: string, incident: string): boolean =>
  text.includes(`"request":"${incident}"`)

function newestOf(folder: string): string {
  const names = readdirSync(folder).filter((name) => name.endsWith('.replica-0.jsonl'))
  return join(folder, names.toSorted().at(-1) ?? 'none')
}
