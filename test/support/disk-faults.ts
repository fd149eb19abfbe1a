import fs from 'node:fs'
import { syncBuiltinESMExports } from 'node:module'

/**
 * Loaded before smart-bff (`node --import`): what a disk does to a process where no file system may be mounted. While
 * the file named by DISK_FAULTS holds `EROFS` or `ENOSPC`, whatever would change an audit file or make a new one is
 * answered with it; while it holds `hang`, nothing that is asked of an audit file is answered at all.
 */
const control = process.env['DISK_FAULTS'] ?? ''
const { readFileSync, promises } = fs
const againMs = 20
/** Of files of the audit that are open for writing. */
const descriptors = new Set<unknown>()

type Callback = (error: NodeJS.ErrnoException | null, ...results: unknown[]) => void
type Call = (...args: unknown[]) => unknown

const isAudit = (path: unknown): boolean =>
  typeof path === 'string' && /\.(?:jsonl(?:\.torn|\.gz\.new)?|checkpoints(?:\.new)?)$/.test(path)

function fault(): string {
  try {
    return readFileSync(control, 'utf8')
  } catch {
    return ''
  }
}

function errorOf(code: string, syscall: string): NodeJS.ErrnoException {
  return Object.assign(new Error(`${code}: ${syscall}`), { code, syscall })
}

/** Calls at once, never, later, or with the fault. */
function meet(syscall: string, go: () => void, fail: (error: NodeJS.ErrnoException) => void): void {
  const now = fault()
  if (now === '') go()
  else if (now === 'hang') setTimeout(meet, againMs, syscall, go, fail)
  else setImmediate(fail, errorOf(now, syscall))
}

function wrapCallback(name: 'write' | 'ftruncate' | 'fdatasync' | 'open'): void {
  const original = fs[name] as Call
  const wrapped = (...args: unknown[]): void => {
    const given = args.at(-1) as Callback
    const [subject, flags] = args
    const opens = name === 'open'
    if (opens ? !isAudit(subject) || flags === 'r' : !descriptors.has(subject)) {
      original(...args)
      return
    }
    const answer: Callback = (error, ...results) => {
      if (opens && error === null) descriptors.add(results[0])
      given(error, ...results)
    }
    meet(name, () => original(...args.slice(0, -1), answer), answer)
  }
  Object.assign(fs, { [name]: wrapped })
}

function wrapPromise(name: 'appendFile' | 'writeFile' | 'truncate'): void {
  const original = promises[name] as (...args: unknown[]) => Promise<void>
  const wrapped = (...args: unknown[]): Promise<void> => {
    if (!isAudit(args[0])) return original(...args)
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    meet(name, () => void original(...args).then(resolve, reject), reject)
    return promise
  }
  Object.assign(promises, { [name]: wrapped })
}

// Node ignores this signal, but the test runner listens to it in every process that a test starts, and ends it.
process.on('SIGXFSZ', () => undefined)

for (const name of ['open', 'write', 'ftruncate', 'fdatasync'] as const) wrapCallback(name)
for (const name of ['appendFile', 'writeFile', 'truncate'] as const) wrapPromise(name)
syncBuiltinESMExports()
