import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import { inTime, makeFolder, prepareFolder } from '../../src/audit/folder.ts'

const folder = mkdtempSync(join(tmpdir(), 'smart-bff-folder-'))
t.teardown(() => rmSync(folder, { recursive: true, force: true }))

t.test('a folder is made with those above it, and found when it is there', async (t) => {
  const deep = join(folder, 'a/b/c')
  await prepareFolder(deep, 0o750)
  await prepareFolder(deep, 0o750)
  t.equal(statSync(deep).mode & 0o777, 0o750)
  t.equal(statSync(join(folder, 'a')).mode & 0o777, 0o750)
})

t.test('what stands in the way is said in the word of the system', async (t) => {
  const file = join(folder, 'file')
  writeFileSync(file, '')
  await t.rejects(prepareFolder(file, 0o750), { code: 'ENOTDIR' })
  await t.rejects(prepareFolder(join(file, 'x'), 0o750), { code: 'ENOTDIR' })
  await t.rejects(makeFolder('/proc/x/y', 0o750), { code: 'ENOENT' })
})

t.test('a disk that does not answer is given up', async (t) => {
  const hanging = new Promise<void>(() => undefined)
  await t.rejects(inTime(hanging, 20, '/mnt/away'), { code: 'ETIMEDOUT', path: '/mnt/away' })
  await inTime(Promise.resolve(), 20, '/mnt/here')
})
