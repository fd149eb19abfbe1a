import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, readdirSync, renameSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import t from 'tap'
import type { Test } from 'tap'
import { createAudit } from '../../src/audit/audit.ts'
import type { AuditFault } from '../../src/audit/audit.ts'
import type { AuditEvent } from '../../src/audit/event.ts'
import { verifyAudit } from '../../src/audit/verify.ts'
import { auditConfig, publicKey, readRecords, signing } from './support.ts'

const access: AuditEvent = { event: 'fhir.access', outcome: 'success', tenant: 'north' }
const child = fileURLToPath(new URL('./writer-process.ts', import.meta.url))

/** Faults of a real file system, where one may be mounted; test/faults/audit-disk.test.ts has them on every machine. */
function mount(t: Test, ...args: string[]): string {
  const point = mkdtempSync(join(tmpdir(), 'smart-bff-mount-'))
  const { status, stderr } = spawnSync('mount', [...args, point])
  if (status !== 0) throw new Error(stderr.toString())
  t.teardown(() => {
    spawnSync('umount', [point])
    rmSync(point, { recursive: true, force: true })
  })
  return point
}

function mayMount(): boolean {
  const point = mkdtempSync(join(tmpdir(), 'smart-bff-mount-'))
  const mounted = spawnSync('mount', ['-t', 'tmpfs', 'tmpfs', point]).status === 0
  if (mounted) spawnSync('umount', [point])
  rmSync(point, { recursive: true, force: true })
  return mounted
}
const onMounts = { skip: mayMount() ? false : 'mounting is not permitted here' }

async function start(directory: string) {
  const faults: AuditFault[] = []
  const config = auditConfig({ directory })
  const audit = await createAudit({ config, onFault: (fault) => faults.push(fault) })
  return { audit, faults }
}

const until = async (condition: () => boolean): Promise<void> => {
  for (let tries = 0; tries < 200 && !condition(); tries += 1) {
    await new Promise((resolve) => setTimeout(resolve, 25))
  }
}

t.test(
  'a full disk: refused, told, whole; when there is room again it goes on by itself',
  onMounts,
  async (t) => {
    const directory = mount(t, '-t', 'tmpfs', '-o', 'size=64k', 'tmpfs')
    const { audit, faults } = await start(directory)
    const filler = join(directory, 'filler')
    spawnSync('dd', ['if=/dev/zero', `of=${filler}`, 'bs=1k', 'count=48', 'status=none'])
    let written = 1
    let refused = 0
    for (let count = 0; count < 200; count += 1) {
      await audit.record(access).then(
        () => (written += 1),
        (error: { code: string }) => {
          t.equal(error.code, 'AUDIT_UNAVAILABLE')
          refused += 1
        },
      )
    }
    t.ok(written > 10 && refused > 10)
    t.notOk(audit.healthy())
    t.match(faults[0], { kind: 'failing', code: 'ENOSPC' })
    t.equal((await readRecords(directory)).length, written, 'no half record in the file')
    rmSync(filler)
    await until(() => audit.healthy())
    t.ok(audit.healthy(), 'without any traffic')
    await audit.record(access)
    await audit.close()
    const gap = (await readRecords(directory)).find(({ event }) => event === 'audit.recovered')
    t.match(gap, { count: refused, outcome: 'failed' })
    t.match((await verifyAudit({ directory, publicKey })).logs, [{ faults: [] }])
  },
)

t.test('a file system that becomes read-only', onMounts, async (t) => {
  const directory = mount(t, '-t', 'tmpfs', '-o', 'size=256k', 'tmpfs')
  const { audit } = await start(directory)
  await audit.record(access)
  await audit.close()
  spawnSync('mount', ['-o', 'remount,ro', directory])
  await t.rejects(createAudit({ config: auditConfig({ directory }) }), {
    code: 'AUDIT_UNAVAILABLE',
    detail: /the audit directory/,
  })
})

t.test(
  'a disk that hangs: refused after two seconds, then at once, and it comes back',
  onMounts,
  async (t) => {
    const image = join(tmpdir(), `smart-bff-${String(process.pid)}.img`)
    t.teardown(() => {
      rmSync(image, { force: true })
    })
    spawnSync('truncate', ['-s', '8M', image])
    spawnSync('mkfs.ext4', ['-q', '-F', image])
    const directory = mount(t, '-o', 'loop', image)
    const { audit, faults } = await start(directory)
    // Should this test be killed, the file system must not stay frozen.
    const guard = spawn('sh', ['-c', `sleep 6; fsfreeze -u ${directory}`], { stdio: 'ignore' })
    t.equal(spawnSync('fsfreeze', ['-f', directory]).status, 0)
    const before = performance.now()
    await t.rejects(audit.record(access), { code: 'AUDIT_UNAVAILABLE' })
    const waited = performance.now() - before
    t.ok(waited > 1900 && waited < 3500, `${String(Math.round(waited))} ms`)
    t.notOk(audit.healthy())
    const again = performance.now()
    await t.rejects(audit.record(access), { code: 'AUDIT_UNAVAILABLE' })
    t.ok(performance.now() - again < 200, 'nobody waits for a disk that is known to hang')
    t.equal(faults.length, 1)
    spawnSync('fsfreeze', ['-u', directory])
    await until(() => audit.healthy())
    await audit.record(access)
    await audit.close()
    guard.kill()
    const records = await readRecords(directory)
    t.ok(records.some(({ event }) => event === 'audit.recovered'))
    t.match((await verifyAudit({ directory, publicKey })).logs, [{ faults: [] }])
  },
)

t.test('a next file that cannot be begun', async (t) => {
  const { directory } = auditConfig().audit
  const faults: AuditFault[] = []
  const audit = await createAudit({
    config: auditConfig({ directory }),
    maxFileBytes: 2000,
    onFault: (fault) => faults.push(fault),
  })
  const away = `${directory}.away`
  renameSync(directory, away)
  let written = 0
  const fills = async (): Promise<boolean> =>
    audit.record(access).then(
      () => (written += 1) > 0,
      () => false,
    )
  while (await fills()) t.ok(written < 20, 'the file that is open fills')
  t.ok(written > 3)
  // The first round of housekeeping begins at the start and may still be reading the folder when it goes.
  const told = faults.filter(({ kind }) => kind !== 'housekeeping_failed')
  t.match(told, [{ kind: 'failing', code: 'ENOENT' }])
  t.notOk(audit.healthy())
  renameSync(away, directory)
  await until(() => audit.healthy())
  await audit.record(access)
  await audit.close()
  const kept = (await readRecords(directory)).filter(({ event }) => event === 'fhir.access')
  t.equal(kept.length, written + 1)
  t.ok(readdirSync(directory).filter((name) => name.endsWith('.jsonl')).length > 1)
  t.match((await verifyAudit({ directory, publicKey })).logs, [{ faults: [] }])
})

t.test('a limit on the size of files', async (t) => {
  const { directory } = auditConfig().audit
  const key = signing.reveal()
  // What the test runner puts into NODE_OPTIONS would turn the limit's signal into the process's end; EFBIG is meant.
  const command = `ulimit -f 128; exec env -u NODE_OPTIONS "${process.execPath}" "${child}" "${directory}" write 100000 "$KEY"`
  const run = spawnSync('bash', ['-c', command], { env: { ...process.env, KEY: key } })
  const told = run.stdout.toString().trim().split('\n')
  t.equal(told.at(-1), 'failed AUDIT_UNAVAILABLE', run.stderr.toString())
  await expectWritten(t, directory, told)
})

/** Every record that was acknowledged stands in the log, and the next start repairs what is torn. */
async function expectWritten(t: Test, directory: string, told: readonly string[]): Promise<void> {
  const acknowledged = told.filter((line) => /^\d+$/.test(line)).map(Number)
  t.ok(acknowledged.length > 5, `${String(acknowledged.length)} acknowledged`)
  await (await createAudit({ config: auditConfig({ directory }) })).close()
  const records = await readRecords(directory)
  const there = new Set(
    records.flatMap(({ event, count }) => (event === 'fhir.access' ? [count] : [])),
  )
  t.same(
    acknowledged.filter((count) => !there.has(count)),
    [],
    'no acknowledged record is lost',
  )
  t.match((await verifyAudit({ directory, publicKey })).logs, [{ faults: [] }])
  const opened = records.findLast(({ event }) => event === 'audit.opened')
  t.equal(opened?.reason, 'not_closed')
}

for (const [round, durability] of ['write', 'fsync', 'write', 'write'].entries()) {
  t.test(`killed at any moment (${durability}, ${String(round)})`, async (t) => {
    const { directory } = auditConfig().audit
    const writer = spawn(process.execPath, [
      child,
      directory,
      durability,
      '100000',
      signing.reveal(),
    ])
    let text = ''
    writer.stdout.on('data', (chunk: Buffer) => (text += chunk.toString()))
    await until(() => text.length > 200)
    await new Promise((resolve) => setTimeout(resolve, round * 17 + Math.random() * 40))
    writer.kill('SIGKILL')
    await once(writer, 'close')
    const told = text.slice(0, text.lastIndexOf('\n')).split('\n')
    await expectWritten(t, directory, told)
  })
}

t.test('two processes of one instance: the second does not start', async (t) => {
  const { directory } = auditConfig().audit
  const { audit } = await start(directory)
  const run = spawnSync(process.execPath, [child, directory, 'write', '10', signing.reveal()])
  t.not(run.status, 0)
  t.match(run.stderr.toString(), /AUDIT_UNAVAILABLE/)
  await audit.close()
  t.equal(readdirSync(directory).filter((name) => name.endsWith('.jsonl')).length, 1)
  t.ok(readFileSync(join(directory, 'one.lock')).length >= 0)
})
