import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { Writable } from 'node:stream'
import * as fc from 'fast-check'
import t from 'tap'
import { SmartBffError } from '../../src/errors.ts'
import { errorFields } from '../../src/operations/error-fields.ts'
import { createLog } from '../../src/operations/log.ts'
import { logEvents, type LogEvent } from '../../src/operations/log-events.ts'
import { readSources } from '../structure/folders.ts'

function capture() {
  const lines: string[] = []
  const destination = new Writable({
    write(chunk: Buffer, _encoding, done) {
      lines.push(chunk.toString())
      done()
    },
  })
  return { lines, log: createLog({ level: 'info', instance: 'one', destination }) }
}

t.test('an event prints the fields of its row and no other', async (t) => {
  const { lines, log } = capture()
  const extra = { event: 'store.fault', operation: 'readLaunch', patient: 'John Smith' } as const
  log.error(extra)
  log.debug({ event: 'process.stopped', ms: 3 })
  t.equal(lines.length, 1)
  const { time, ...rest } = JSON.parse(lines[0] ?? '')
  t.match(time, /^\d{4}-\d\d-\d\dT/)
  t.same(rest, { level: 'error', instance: 'one', event: 'store.fault', operation: 'readLaunch' })
})

t.test('what does not fit its form is not printed', async (t) => {
  const { lines, log } = capture()
  log.warn({
    event: 'request.failed',
    request: 'John Smith',
    route: '/fhir/abc/Patient?name=Smith',
    tenant: 'John Smith',
    status: Number.NaN,
  })
  t.match(JSON.parse(lines[0] ?? ''), { request: '?', route: '?', tenant: '?', status: '?' })
  log.warn({ event: 'request.failed', request: '7K3M-9QXW-2B', route: '/fhir/:launch/*' })
  t.match(JSON.parse(lines[1] ?? ''), { request: '7K3M-9QXW-2B', route: '/fhir/:launch/*' })
})

t.test('an error is its class, its code and its place, never a text', async (t) => {
  const cause = Object.assign(new Error('connect to John Smith'), {
    code: 'ECONNRESET',
    syscall: 'read',
    error_description: 'John Smith',
  })
  const fields = errorFields(new SmartBffError('EHR_UNREACHABLE', { detail: 'John Smith', cause }))
  t.match(fields, {
    class: 'SmartBffError',
    code: 'EHR_UNREACHABLE',
    status: 502,
    cause: { class: 'Error', code: 'ECONNRESET', syscall: 'read' },
  })
  t.notMatch(JSON.stringify(fields), /Smith/)
  t.same(errorFields('John Smith'), { class: 'string' })
  t.match(errorFields(Object.assign(new Error('x'), { error: 'invalid_grant' })), {
    code: 'invalid_grant',
  })
  t.notOk(errorFields(Object.assign(new Error('x'), { error: 'SMITH' })).code)
})

t.test('the place is one of our own files, even when the message imitates a frame', async (t) => {
  let thrown: unknown
  try {
    createLog({ level: 'nonsense' as 'info' })
  } catch (error) {
    thrown = error
  }
  t.match(errorFields(thrown).at, /^operations\/log\.ts:\d+$/)
  const spoof = new Error('first\n    at John (/src/john-smith/smith.ts:1:1)')
  t.notMatch(JSON.stringify(errorFields(spoof)), /smith/)
})

t.test('no text of an error or a field reaches the log, whatever it is', async () => {
  const marker = 'Zyxwvuts Rqponml'
  const text = fc.string({ maxLength: 20 }).map((odd) => `${odd}${marker}\n${odd}`)
  const { lines, log } = capture()
  fc.assert(
    fc.property(text, text, text, (message, code, name) => {
      class Odd extends Error {}
      Object.defineProperty(Odd, 'name', { value: name })
      const error = Object.assign(new Odd(message, { cause: new Error(code) }), {
        code,
        error: name,
        status: message,
        syscall: code,
        body: message,
      })
      const event: LogEvent = { event: 'ehr.fault', tenant: code, operation: name, error }
      log.error(event)
      const line = lines.pop() ?? ''
      return line.endsWith('}\n') && !/Zyxwvuts|Rqponml/.test(line)
    }),
  )
})

t.test('every event of the table is printed somewhere', async (t) => {
  const sources = readSources()
    .filter(({ path }) => !path.endsWith('log-events.ts'))
    .map(({ text }) => text)
    .join('\n')
  const unused = Object.keys(logEvents).filter((event) => !sources.includes(`'${event}'`))
  t.strictSame(unused, [])
})

/** A program with a log of its own on standard output; `asked` runs in it at SIGUSR2. */
function logging(start: string, asked: string) {
  const log = new URL('../../src/operations/log.ts', import.meta.url).href
  const program = `
    import { createLog } from '${log}'
    const log = createLog({ level: 'info' })
    ${start}
    console.error('alive')
    process.once('SIGUSR2', () => { ${asked} })
    setInterval(() => undefined, 1000)`
  return spawn(process.execPath, ['--input-type=module', '-e', program], {
    timeout: 20_000,
    killSignal: 'SIGKILL',
  })
}

const much = `for (let n = 0; n < 20_000; n += 1)
  log.warn({ event: 'audit.retention', code: 'x'.repeat(100) })`
const ends = {
  crash: `
    log.lastWords({ event: 'process.crashed', error: new Error('John Smith') })
    process.exit(70)`,
  stop: 'log.close().then(() => process.exit(70))',
}

t.test('a collector that does not read holds nobody up, and last words reach it', async (t) => {
  const child = logging(much, ends.crash)
  t.teardown(() => child.kill('SIGKILL'))
  await once(child.stderr, 'data')
  t.pass('nothing has been read, and the program goes on')
  let text = ''
  child.stdout.on('data', (chunk: Buffer) => (text += chunk.toString()))
  child.kill('SIGUSR2')
  const [code] = await once(child, 'close')
  t.equal(code, 70)
  t.match(JSON.parse(text.trimEnd().split('\n').at(-1) ?? ''), {
    level: 'error',
    event: 'process.crashed',
    error: { class: 'Error' },
  })
  t.notMatch(text, /Smith/)
})

t.test('last words stand after all that was said before them', async (t) => {
  const child = logging(
    '',
    `for (let n = 0; n < 100; n += 1) log.warn({ event: 'audit.retention', code: 'x'.repeat(100) })
    ${ends.crash}`,
  )
  t.teardown(() => child.kill('SIGKILL'))
  let text = ''
  child.stdout.on('data', (chunk: Buffer) => (text += chunk.toString()))
  await once(child.stderr, 'data')
  child.kill('SIGUSR2')
  t.same(await once(child, 'close'), [70, null])
  const events = text
    .trimEnd()
    .split('\n')
    .map((line) => (JSON.parse(line) as { event: string }).event)
  t.same(events, [...Array<string>(100).fill('audit.retention'), 'process.crashed'])
})

t.test('a collector that never reads again keeps no process from its end', async (t) => {
  for (const [name, asked] of Object.entries(ends)) {
    const child = logging(much, asked)
    t.teardown(() => child.kill('SIGKILL'))
    await once(child.stderr, 'data')
    const before = performance.now()
    child.kill('SIGUSR2')
    t.same(await once(child, 'exit'), [70, null], name)
    t.ok(performance.now() - before < 5000, `${name}: within its limit`)
  }
})
