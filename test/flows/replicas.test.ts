import t from 'tap'
import { startDeployment } from '../support/deployment.ts'
import { startRedis } from '../support/redis.ts'

/** Two processes on one Redis, no sticky sessions (DESIGN.md, Stored records). */
t.test('two processes share sessions and refresh a token once', async (t) => {
  const redis = await startRedis()
  const deployment = await startDeployment({
    replicas: 2,
    accessTokenSeconds: 5,
    root: { store: { redis: { url: redis.url } } },
  })
  t.teardown(async () => {
    await deployment.close()
    await redis.stop()
  })
  const { sandbox, replicas } = deployment
  const [first, second] = replicas.map((replica) => replica.browser())
  if (first === undefined || second === undefined) throw new Error('two replicas')
  const amara = sandbox.patient('amara')

  const { launch } = await first.launch({ patient: amara.id })
  const cookie = [...first.jar.cookies].map(([name, value]) => `${name}=${value}`).join('; ')
  const readAt = (browser: typeof first) =>
    browser.fetch(`/fhir/${launch}/Patient/${amara.id}`, { headers: { cookie } })
  t.equal((await readAt(second)).status, 200, 'the other process knows the session')

  sandbox.control.clearRequests()
  // Every token given so far is refused from now on: both processes meet the 401 at the same time.
  sandbox.control.revoke('access')
  const answers = await Promise.all(
    Array.from({ length: 24 }, (_, index) => readAt(index % 2 === 0 ? first : second)),
  )
  t.same([...new Set(answers.map(({ status }) => status))], [200])
  const refreshes = sandbox
    .requests()
    .filter(({ form }) => form?.['grant_type']?.[0] === 'refresh_token')
  t.equal(refreshes.length, 1, 'one refresh for both')

  await first.fetch(`/launches/${launch}`, {
    method: 'DELETE',
    headers: { origin: deployment.publicUrl },
  })
  const after = await readAt(second)
  t.equal(after.status, 401, 'an end in one process is an end in the other')
})
