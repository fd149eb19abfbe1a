import { once } from 'node:events'
import { get, type IncomingMessage } from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'
import t from 'tap'
import { launchHash } from '../../src/audit/pseudonyms.ts'
import { startDeployment } from '../support/deployment.ts'
import { startRedis } from '../support/redis.ts'

/** `smart-bff revoke` beside two processes that keep opened records in memory (DESIGN rule 12). */
t.test(
  'a revocation ends launches on every replica within a second',
  { timeout: 120_000 },
  async (t) => {
    const redis = await startRedis()
    const deployment = await startDeployment({
      replicas: 2,
      root: { store: { redis: { url: redis.url } } },
    })
    t.teardown(async () => {
      await deployment.close()
      await redis.stop()
    })
    const { sandbox, replicas } = deployment
    const { id: patient } = sandbox.patient('amara')

    /** A launch whose record both processes hold in memory. */
    const open = async () => {
      const browsers = replicas.map((replica) => replica.browser())
      const [first] = browsers
      if (first === undefined) throw new Error('no replica')
      const { launch } = await first.launch({ patient })
      const cookie = [...first.jar.cookies].map(([name, value]) => `${name}=${value}`).join('; ')
      const read = async () =>
        Promise.all(
          browsers.map(async (browser) => {
            const answer = await browser.fetch(`/fhir/${launch}/Patient/${patient}`, {
              headers: { cookie },
            })
            await answer.arrayBuffer()
            return answer.status
          }),
        )
      t.strictSame(
        [await read(), await read()],
        [
          [200, 200],
          [200, 200],
        ],
      )
      return { launch, read, cookie }
    }
    /** What a frame is told whose event stream is held by the second process. */
    const listen = async (cookie: string) => {
      const url = new URL('/session/events', replicas[1]?.public)
      const request = get(url, { headers: { cookie, 'smart-bff': '1' }, agent: false })
      const [answer] = (await once(request, 'response')) as [IncomingMessage]
      let text = ''
      answer.setEncoding('utf8').on('data', (chunk: string) => (text += chunk))
      answer.on('error', () => undefined)
      return { status: answer.statusCode, text: () => text, leave: () => request.destroy() }
    }
    const endedWithin = async (read: () => Promise<number[]>, limitMs: number): Promise<void> => {
      const started = performance.now()
      for (;;) {
        const statuses = await read()
        if (statuses.every((status) => status === 401)) return
        if (performance.now() - started > limitMs) {
          t.fail(`${statuses.join(', ')} after ${limitMs} ms`)
          return
        }
      }
    }
    const lines = async (): Promise<readonly Record<string, unknown>[]> =>
      (await deployment.auditText())
        .split('\n')
        .filter((line) => line.startsWith('{'))
        .map((line) => JSON.parse(line) as Record<string, unknown>)

    const [one, other] = [await open(), await open()]
    const frame = await listen(one.cookie)
    t.equal(frame.status, 200)
    sandbox.control.clearRequests()
    const done = await deployment.run([
      'revoke',
      '--launch',
      one.launch,
      '--reason',
      'device_lost',
      '--by',
      'anna.admin',
    ])
    t.equal(done.code, 0, done.output)
    t.match(done.output, /^1 launch ended, recorded under /)
    await endedWithin(one.read, 1000)
    const told = new RegExp(`"launch":"${one.launch}"[^}]*"state":"revoked"`)
    for (let n = 0; n < 100 && !told.test(frame.text()); n += 1) await sleep(10)
    t.match(frame.text(), told, 'its frames are told')
    frame.leave()
    t.strictSame(await other.read(), [200, 200], 'nobody else is disturbed')
    const revocations = sandbox.requests().filter(({ path }) => path.includes('revo'))
    t.ok(revocations.length > 0, 'the EHR has its tokens back')
    const recorded = (await lines()).filter(({ reason }) => reason === 'device_lost')
    t.match(recorded, [
      { event: 'revocation.ordered', user: 'anna.admin', actor: 'staff' },
      {
        event: 'launch.transition',
        state: 'revoked',
        launch: launchHash(one.launch),
        tenant: 'north',
        actor: 'staff',
      },
      { event: 'revocation.carried_out', user: 'anna.admin', count: 1 },
    ])
    t.equal(new Set(recorded.map(({ request }) => request)).size, 1, 'one number joins them')

    const byHash = await deployment.run([
      'revoke',
      '--launch',
      launchHash(other.launch),
      '--reason',
      'incident',
    ])
    t.match(byHash, { code: 0, output: /^1 launch ended/ })
    await endedWithin(other.read, 1000)

    const shown = (await lines()).find(({ event }) => event === 'launch.authorized')?.['user']
    for (const [target, expected] of [
      [['--user', String(shown), '--tenant', 'north'], 1],
      [['--tenant', 'north'], 1],
      [['--key', 'k1'], 1],
      [['--all'], 1],
    ] as const) {
      const { read } = await open()
      const { code, output } = await deployment.run(['revoke', ...target, '--reason', 'requested'])
      t.equal(code, 0, output)
      t.match(output, `${expected} launch ended`, target.join(' '))
      await endedWithin(read, 1000)
    }
    t.match(await deployment.run(['revoke', '--all']), { code: 78, output: /--reason/ })
  },
)
