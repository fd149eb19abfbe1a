import type { Test } from 'tap'
import { startDeployment } from './deployment.ts'
import { tellFigures } from './figures.ts'
import { startRedis } from './redis.ts'

/**
 * Four processes on one Redis, each with 200 requests at the same instant, and a token that has just been refused to
 * all of them. The sandbox rotates refresh tokens and ends the grant when a superseded one comes back, as real EHRs do
 * (RFC 9700 4.14.2): one refresh too many and the launch is lost.
 */
export async function refreshStorm(t: Test, repetitions: number): Promise<void> {
  const redis = await startRedis()
  const deployment = await startDeployment({
    replicas: 4,
    refreshTokens: 'rotate',
    // Room for 200 requests of one launch in each process, so that none is turned away as too many.
    tenant: { upstream: { connections: 128 } },
    // No app asks so often, and one that did would be turned away after some repetitions.
    root: {
      store: { redis: { url: redis.url } },
      rateLimits: { fhirPerLaunchPerMinute: 1_000_000 },
    },
  })
  t.teardown(async () => {
    await deployment.close()
    await redis.stop()
  })
  const { sandbox } = deployment
  const browsers = deployment.replicas.map((replica) => replica.browser())
  const [first] = browsers
  if (first === undefined) throw new Error('no replica')
  const { id } = sandbox.patient('amara')
  const { launch } = await first.launch({ patient: id })
  const cookie = [...first.jar.cookies].map(([name, value]) => `${name}=${value}`).join('; ')
  const read = async (n: number): Promise<number> => {
    const answer = await browsers[n % browsers.length]?.fetch(`/fhir/${launch}/Patient/${id}`, {
      headers: { cookie },
    })
    const body = await answer?.text()
    if (answer?.status !== 200) console.error(answer?.status, body?.slice(0, 400))
    return answer?.status ?? 0
  }

  let [refused, answered] = [0, 0]
  for (let repetition = 1; repetition <= repetitions; repetition += 1) {
    sandbox.control.clearRequests()
    sandbox.control.revoke('access')
    const statuses = await Promise.all(
      Array.from({ length: 200 * browsers.length }, (_, n) => read(n)),
    )
    t.strictSame(new Set(statuses), new Set([200]), `${repetition}: every request is answered`)
    const refreshes = sandbox
      .requests()
      .filter(({ form }) => form?.['grant_type']?.[0] === 'refresh_token')
    t.equal(refreshes.length, 1, `${repetition}: with one refresh`)
    refused += sandbox
      .requests()
      .filter(({ where, status }) => where === 'fhir' && status === 401).length
    answered += statuses.length
    t.comment(`${repetition} of ${repetitions}: ${statuses.length} requests`)
  }
  // Where nobody met the token that was refused there was no storm.
  t.equal(answered, repetitions * 200 * browsers.length, `${answered} requests were answered`)
  t.ok(refused >= repetitions, `${refused} of them met the refused token first`)
  tellFigures(t, { requests: answered, refreshes: repetitions, metTheRefusedToken: refused })
}
