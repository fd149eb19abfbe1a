import { setTimeout as sleep } from 'node:timers/promises'
import type { Test } from 'tap'
import { launchHash } from '../../src/audit/pseudonyms.ts'
import { startDeployment, type Deployment } from './deployment.ts'
import { tellFigures } from './figures.ts'
import { createBrowser, type TestBrowser } from './hospital.ts'
import { plainFetch } from './http.ts'
import { startRedis } from './redis.ts'
import { until } from './until.ts'

/**
 * Browsers that launch, read, sign out and change hands while processes stand still: replicas and Redis are stopped and
 * go on (SIGSTOP, SIGCONT) at any moment. Held against what the browsers know: an end that was answered holds at every
 * replica once its news may have come, an answer is about its launch's patient, nothing that lives is signed out, and
 * what was answered stands in the audit.
 */
export interface StopsOptions {
  readonly seed: number
  readonly forMs: number
}

const replicas = 3
const browsers = 3
/** DESIGN rule 12, and what two clocks in one process may differ by. */
const newsMs = 500 + 100

/** A launch as its browser knows it. */
interface Chart {
  readonly launch: string
  readonly patient: string
  readonly user: string
  readonly cookie: string
  /** When its end was answered, and what it was the answer to. */
  endedAt: number | undefined
  endedBy: string
  /** An end has been asked for, and nobody knows yet what came of it. */
  doubtful: boolean
}

export async function liveThroughStops(t: Test, { seed, forMs }: StopsOptions): Promise<void> {
  const redis = await startRedis()
  const deployment = await startDeployment({
    replicas,
    limitMs: forMs + 120_000,
    root: {
      store: { redis: { url: redis.url } },
      session: { launchesPerBrowser: 50 },
      rateLimits: { launchPerMinute: 100_000, fhirPerLaunchPerMinute: 100_000 },
    },
  })
  t.teardown(async () => {
    await deployment.close()
    await redis.stop()
  })
  // The EHR takes no token back, so that an end holds by us alone.
  deployment.sandbox.control.setFaults([{ where: 'revoke', kind: 'status', status: 500 }])
  const random = createRandom(seed)
  const day: Day = { deployment, random, wrong: [], answered: [], ended: [], until: 0, done: {} }
  const desks = Array.from({ length: browsers }, () => openDesk(day))
  day.until = performance.now() + forMs
  await Promise.all([
    ...desks.flatMap((desk) => [launching(day, desk), reading(day, desk), reading(day, desk)]),
    stopping(day, redis),
  ])
  await lookAround(day, desks)
  t.same(day.wrong, [], `seed ${String(seed)}`)
  const audit = await deployment.auditText()
  const unrecorded = day.answered.filter((incident) => !audit.includes(`"request":"${incident}"`))
  t.same(unrecorded, [], 'every answer stands in the audit')
  const ends = audit.split('\n').filter((line) => line.includes('"event":"launch.transition"'))
  const untold = day.ended.filter(
    (launch) => !ends.some((line) => line.includes(`"launch":"${launchHash(launch)}"`)),
  )
  t.same(untold, [], 'every end that was answered stands in the audit')
  tellFigures(t, { [`seed ${String(seed)}`]: { ...day.done, wrong: day.wrong.length } })
  t.ok((day.done['read 200'] ?? 0) > 0 && day.ended.length > 0, 'something happened')
}

interface Day {
  readonly deployment: Deployment
  readonly random: Random
  readonly wrong: string[]
  /** Incident numbers of answers with a patient in them. */
  readonly answered: string[]
  /** Launches whose end was answered with 204. */
  readonly ended: string[]
  until: number
  readonly done: Record<string, number>
}

interface Desk {
  readonly browser: TestBrowser
  readonly charts: Chart[]
  user: string
}

const goesOn = (day: Day): boolean => performance.now() < day.until

function count({ done }: Day, what: string): void {
  done[what] = (done[what] ?? 0) + 1
}

/** Every request goes to any replica, as through an ingress. */
function openDesk({ deployment, random }: Day): Desk {
  const { publicUrl, sandbox } = deployment
  const send: typeof plainFetch = (url, init) => {
    const { public: listening } = random.of(deployment.replicas)
    return plainFetch(String(url).replace(publicUrl, listening), init)
  }
  const browser = createBrowser(publicUrl, publicUrl, sandbox, send)
  return { browser, charts: [], user: userOf(random.of(sandbox.clinicians)) }
}

const userOf = ({ id }: { readonly id: string }): string => `Practitioner/${id}`

async function launching(day: Day, desk: Desk): Promise<void> {
  while (goesOn(day)) {
    const { clinicians } = day.deployment.sandbox
    const chance = day.random.next()
    if (chance < 0.1) await signOut(day, desk)
    else if (chance < 0.25) {
      const others = clinicians.map(userOf).filter((user) => user !== desk.user)
      await handOver(day, desk, day.random.of(others))
    } else {
      const atOnce = 1 + Math.floor(day.random.next() * 3)
      await Promise.all(Array.from({ length: atOnce }, () => launch(day, desk)))
    }
    await sleep(day.random.next() * 300)
  }
}

async function launch(day: Day, desk: Desk): Promise<boolean> {
  const patient = day.random.of(day.deployment.sandbox.patients.slice(0, 12)).id
  try {
    const { launch: id } = await desk.browser.launch({ patient, user: desk.user })
    desk.charts.push({
      launch: id,
      patient,
      user: desk.user,
      cookie: jarOf(desk),
      endedAt: undefined,
      endedBy: '',
      doubtful: false,
    })
    count(day, 'launch')
    return true
  } catch {
    count(day, 'launch failed')
    return false
  }
}

/** DESIGN rule 14: with another user’s launch the earlier user’s are over. */
async function handOver(day: Day, desk: Desk, user: string): Promise<void> {
  const before = desk.charts.filter(isAlive)
  for (const chart of before) chart.doubtful = true
  desk.user = user
  const by = `the launch of ${user} with the cookie of ${sessionOf(jarOf(desk))}`
  if (await launch(day, desk)) over(before, `${by}, now of ${sessionOf(jarOf(desk))}`)
}

async function signOut(day: Day, desk: Desk): Promise<void> {
  const before = desk.charts.filter(isAlive)
  if (before.length === 0) return
  for (const chart of before) chart.doubtful = true
  const by = `signing out of ${sessionOf(jarOf(desk))}`
  const { status } = await desk.browser.fetch('/session', {
    method: 'DELETE',
    headers: { origin: day.deployment.publicUrl },
  })
  count(day, `sign out ${String(status)}`)
  if (status === 204) over(before, by)
}

function over(charts: readonly Chart[], by: string): void {
  const now = performance.now()
  for (const chart of charts.filter(({ endedAt }) => endedAt === undefined)) {
    chart.endedAt = now
    chart.endedBy = by
  }
}

const jarOf = ({ browser }: Desk): string =>
  [...browser.jar.cookies].map(([name, value]) => `${name}=${value}`).join('; ')

/** Enough of its id to tell sessions apart. */
const sessionOf = (cookie: string): string =>
  /__Host-smart-bff=([^;]{6})/.exec(cookie)?.[1] ?? 'no session'

const isAlive = ({ endedAt, doubtful }: Chart): boolean => endedAt === undefined && !doubtful

async function reading(day: Day, desk: Desk): Promise<void> {
  while (goesOn(day)) {
    await sleep(day.random.next() * 40)
    if (desk.charts.length === 0) continue
    const chart = day.random.of(desk.charts.slice(-10))
    if (day.random.next() < 0.06) await end(day, desk, chart)
    else await read(day, chart, (path, init) => desk.browser.fetch(path, init))
  }
}

async function end(day: Day, desk: Desk, chart: Chart): Promise<void> {
  chart.doubtful = true
  const { status } = await desk.browser.fetch(`/launches/${chart.launch}`, {
    method: 'DELETE',
    headers: { origin: day.deployment.publicUrl, cookie: chart.cookie },
  })
  count(day, `end ${String(status)}`)
  if (status === 204) day.ended.push(chart.launch)
  if (status === 204 || status === 401) over([chart], `an end, ${String(status)}`)
}

type Fetch = (path: string, init: RequestInit) => Promise<Response>

async function read(day: Day, chart: Chart, fetch: Fetch): Promise<number> {
  const sentAt = performance.now()
  const answer = await fetch(`/fhir/${chart.launch}/Patient/${chart.patient}`, {
    headers: { cookie: chart.cookie },
  })
  const { status } = answer
  count(day, `read ${String(status)}`)
  const { id } = (await answer.json()) as { id?: string }
  if (status === 200) {
    day.answered.push(answer.headers.get('smart-bff-request') ?? '')
    if (id !== chart.patient) day.wrong.push(`${chart.launch}: another patient`)
    const late = sentAt - (chart.endedAt ?? Infinity)
    if (late > newsMs) {
      const where = `${chart.launch} of ${sessionOf(chart.cookie)}`
      day.wrong.push(`${where}: read ${late.toFixed()} ms after its end by ${chart.endedBy}`)
    }
  } else if (status < 500 && isAlive(chart)) {
    day.wrong.push(`${chart.launch}: ${String(status)}, and nobody had ended it`)
  }
  return status
}

/** One stands still at a time, or two. */
async function stopping(day: Day, redis: { pause(): unknown; resume(): unknown }): Promise<void> {
  const stands = [
    redis,
    ...day.deployment.replicas.map((replica) => ({
      pause: () => process.kill(replica.pid(), 'SIGSTOP'),
      resume: () => process.kill(replica.pid(), 'SIGCONT'),
    })),
  ]
  while (goesOn(day)) {
    await sleep(50 + day.random.next() * 500)
    const victims = new Set([day.random.of(stands), day.random.of(stands)])
    for (const victim of victims) {
      victim.pause()
      await sleep(day.random.next() * 100)
    }
    await sleep(day.random.next() ** 2 * 1800)
    for (const victim of victims) victim.resume()
    count(day, 'stops')
  }
}

/** When all run again every replica knows what has ended and what lives. */
async function lookAround(day: Day, desks: readonly Desk[]): Promise<void> {
  const { publicUrl, replicas: all, sandbox } = day.deployment
  await sleep(newsMs)
  for (const replica of all) {
    const browser = createBrowser(replica.public, publicUrl, sandbox)
    const fetch: Fetch = (path, init) => browser.fetch(path, init)
    for (const chart of desks.flatMap(({ charts }) => charts)) {
      await until(
        () => read(day, chart, fetch),
        (status) => status < 500 && status !== 429,
      )
    }
  }
}

interface Random {
  next(): number
  of<T>(list: readonly T[]): T
}

/** Park and Miller’s generator: the same seed, the same choices. */
function createRandom(seed: number): Random {
  let state = (seed % 2_147_483_646) + 1
  const next = (): number => {
    state = (state * 48_271) % 2_147_483_647
    return state / 2_147_483_647
  }
  return {
    next,
    of: (list) => {
      const one = list[Math.floor(next() * list.length)]
      if (one === undefined) throw new Error('a choice of nothing')
      return one
    },
  }
}
