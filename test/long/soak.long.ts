import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { startDeployment } from '../support/deployment.ts'
import { startRedis } from '../support/redis.ts'

/**
 * 200,000 requests of 50 launches, and the memory of the process that answers them. It is flat when the last quarter
 * needs no more than the second: the first one fills caches and pools.
 */
const requestsTotal = 200_000
const launches = 50
const atOnce = 40
const samples = 80
const growthMax = 1.1
const minute = 60_000

t.test('200,000 requests leave the memory as it was', { timeout: 40 * minute }, async (t) => {
  const redis = await startRedis()
  const deployment = await startDeployment({
    limitMs: 40 * minute,
    accessTokenSeconds: 120,
    root: { store: { redis: { url: redis.url } }, logging: { level: 'warn' } },
  })
  t.teardown(async () => {
    await deployment.close()
    await redis.stop()
  })
  const [replica] = deployment.replicas
  if (replica === undefined) throw new Error('no replica')
  const { sandbox } = deployment
  const charts = await Promise.all(
    Array.from({ length: launches }, async (_, n) => {
      const patient = sandbox.patients[n % sandbox.patients.length]?.id ?? ''
      const browser = replica.browser()
      const { launch } = await browser.launch({ patient })
      return { browser, launch, patient }
    }),
  )

  let sent = 0
  let troubles = 0
  const resident: number[] = []
  const sampleEvery = requestsTotal / samples
  const worker = async (): Promise<void> => {
    while (sent < requestsTotal) {
      const n = sent
      sent += 1
      const chart = charts[n % charts.length]
      if (chart === undefined) throw new Error('no chart')
      const { browser, launch, patient } = chart
      const path =
        n % 10 === 0 ? 'Observation?category=vital-signs&_count=10' : `Patient/${patient}`
      // oxlint-disable-next-line no-await-in-loop -- one request after the other is the point
      const answer = await browser.fetch(`/fhir/${launch}/${path}`)
      // oxlint-disable-next-line no-await-in-loop -- see above
      await answer.arrayBuffer()
      if (answer.status !== 200) troubles += 1
      if (n % sampleEvery !== 0) continue
      // The sandbox keeps what it was asked for the tests to read; here nobody reads it.
      sandbox.control.clearRequests()
      // oxlint-disable-next-line no-await-in-loop -- see above
      const megabytes = await residentMegabytes(replica.operations())
      resident.push(megabytes)
      if (resident.length % 8 === 0) t.comment(`${n} of ${requestsTotal}: ${megabytes} MB`)
    }
  }
  await Promise.all(Array.from({ length: atOnce }, worker))

  t.equal(troubles, 0, 'every request is answered')
  const quarter = Math.floor(resident.length / 4)
  const second = mean(resident.slice(quarter, 2 * quarter))
  const last = mean(resident.slice(-quarter))
  t.ok(last < second * growthMax, `${second} MB in the second quarter, ${last} MB in the last`)
  writeFileSync(
    join(import.meta.dirname, 'soak.json'),
    `${JSON.stringify({ requestsTotal, second, last, resident })}\n`,
  )
})

async function residentMegabytes(operations: string): Promise<number> {
  const text = await (await fetch(`${operations}/metrics`)).text()
  const bytes = /^process_resident_memory_bytes (\S+)/m.exec(text)?.[1]
  return Math.round(Number(bytes) / 1e6)
}

const mean = (list: readonly number[]): number =>
  Math.round(list.reduce((sum, one) => sum + one, 0) / list.length)
