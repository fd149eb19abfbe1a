import { Redis } from 'ioredis'
import type { Test } from 'tap'
import { tellFigures } from './figures.ts'
import { type Hospital, startHospital, type TestBrowser } from './hospital.ts'
import { type SeenCommand, type Spoiled, startRedisPath } from './redis-path.ts'
import { startRedis } from './redis.ts'

/**
 * What may go wrong between smart-bff and Redis, at every single command of a scenario: first the scenario runs whole
 * and its commands are written down, then it runs once for each command and each way to spoil it.
 */
export const cuts: readonly Spoiled[] = ['cut before', 'cut after']

export const refusals: readonly Spoiled[] = [
  { error: "READONLY You can't write against a read only replica." },
  { error: 'MOVED 3999 127.0.0.1:1' },
  { error: 'LOADING Redis is loading the dataset in memory' },
  { error: "OOM command not allowed when used memory > 'maxmemory'." },
  { error: 'CLUSTERDOWN Hash slot not served' },
  { error: 'NOREPLICAS Not enough good replicas to write.' },
]

export const silence: Spoiled = 'silence'

export interface FaultyHospital {
  readonly hospital: Hospital
  /** Patients of the EHR. */
  readonly amara: string
  readonly other: string
  /** The commands of `work`, those of the background apart. */
  commandsOf(work: () => Promise<unknown>): Promise<readonly SeenCommand[]>
  /** Runs `work` while its command number `step` is spoiled. */
  spoiling<T>(
    step: number,
    spoiled: Spoiled,
    work: () => Promise<T>,
  ): Promise<{ readonly got: T; readonly reached: boolean }>
}

export async function startFaultyHospital(t: Test): Promise<FaultyHospital> {
  const redis = await startRedis()
  const path = await startRedisPath(redis.port)
  const raw = new Redis(redis.port)
  const hospital = await startHospital({
    refreshTokens: 'rotate',
    root: { store: { redis: { url: path.url } } },
    mode: { scopes: ['launch', 'openid', 'fhirUser', 'offline_access', 'patient/Patient.rs'] },
  })
  t.teardown(async () => {
    await hospital.close()
    raw.disconnect()
    await path.close()
    await redis.stop()
  })
  const [amara, other] = hospital.sandbox.patients.slice(0, 2).map(({ id }) => id)
  if (amara === undefined || other === undefined) throw new Error('two patients')
  // Redis knows every script from now on.
  await hospital.browser().launch({ patient: amara })

  return {
    hospital,
    amara,
    other,
    commandsOf: async (work) => {
      const seen: SeenCommand[] = []
      await raw.del('due')
      path.judge((command) => {
        if (!isBackground(command)) seen.push(command)
        return undefined
      })
      await work()
      path.judge(() => undefined)
      return seen
    },
    spoiling: async (step, spoiled, work) => {
      // Nothing is due, so that no sweeper's commands come between.
      await raw.del('due')
      let count = -1
      path.judge((command) => {
        if (isBackground(command)) return undefined
        count += 1
        return count === step ? spoiled : undefined
      })
      try {
        return { got: await work(), reached: count >= step }
      } finally {
        path.judge(() => undefined)
      }
    },
  }
}

/** Beats, probes, counters and the audit's copies run beside every scenario. */
const backgroundNames = new Set(
  'PUBLISH SUBSCRIBE TIME INFO CLIENT PING XRANGE bffClaimDue bffSettleDue bffSettleEnd ZREM bffAddToMatrix'.split(
    ' ',
  ),
)

const isBackground = ({ name, key }: SeenCommand): boolean =>
  backgroundNames.has(name) || /^(check:|beat:|audit(:batches)?$|checkpoints$)/.test(key)

/** The ways to spoil command number `step`: all of them, or both cuts and by turns one of the others. */
export function waysAt(step: number, all: boolean): readonly Spoiled[] {
  const others = [...refusals, silence]
  return all ? [...cuts, ...others] : [...cuts, ...others.slice(step % others.length).slice(0, 1)]
}

export function nameOfWay(spoiled: Spoiled): string {
  if (typeof spoiled === 'string') return spoiled
  return 'error' in spoiled ? (spoiled.error.split(' ')[0] ?? '') : 'late'
}

/** Runs the scenario for each of its commands and each way. */
export async function atEveryCommand(
  t: Test,
  faulty: FaultyHospital,
  scenario: {
    /** Runs healthily before each. */
    readonly before: () => Promise<TestBrowser>
    readonly work: (browser: TestBrowser) => Promise<unknown>
    /** `got` is what `work` answered; the store is well again. */
    readonly judge: (t: Test, browser: TestBrowser, got: unknown, what: string) => Promise<void>
    readonly all: boolean
  },
): Promise<void> {
  const rehearsed = await scenario.before()
  const commands = await faulty.commandsOf(() => scenario.work(rehearsed))
  t.ok(commands.length > 1, commands.map(({ name }) => name).join(' '))
  const total = { runs: 0, reached: 0 }
  for (const [step, { name, key }] of commands.entries()) {
    if (scenario.all) t.comment(`command ${step + 1} of ${commands.length}: ${name}`)
    for (const way of waysAt(step, scenario.all)) {
      const browser = await scenario.before()
      const { got, reached } = await faulty.spoiling(step, way, () => scenario.work(browser))
      total.runs += 1
      if (reached) total.reached += 1
      const what = `${nameOfWay(way)} at ${step}, ${name} ${key.split(/[:{]/)[0]}`
      await scenario.judge(t, browser, got, what)
    }
  }
  // Requests beside each other do not always ask as much; a scenario that spoils nothing proves nothing.
  t.ok(total.reached >= total.runs * 0.6, `${total.reached} of ${total.runs} runs were spoiled`)
  tellFigures(t, { [t.name]: { commands: commands.length, ...total } })
}
