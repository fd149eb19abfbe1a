import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'

/** A command of the product as a process of its own. */
export interface Ended {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
}

export interface Running {
  readonly child: ChildProcess
  /** Resolves when standard error matches; rejects when the process ends before. */
  says(pattern: RegExp): Promise<RegExpExecArray>
  ended(): Promise<Ended>
}

const ownMain = new URL('../../src/main.ts', import.meta.url).pathname

export interface RunOptions {
  /** For Node itself, before the program: `['--import', …]`. */
  readonly nodeArgs?: readonly string[]
  /** A command of the tests ends by itself; this is for one that does not. */
  readonly limitMs?: number
  /** As another user. */
  readonly uid?: number
  /** Another version's `src/main.ts`. */
  readonly main?: string
}

/** Runs `smart-bff ARGS` with exactly this environment. */
export function runMain(
  args: readonly string[],
  env: Record<string, string> = {},
  { nodeArgs = [], limitMs = 60_000, uid, main = ownMain }: RunOptions = {},
): Running {
  const child = spawn(process.execPath, [...nodeArgs, main, ...args], {
    env,
    stdio: ['ignore', 'pipe', 'pipe'],
    timeout: limitMs,
    ...(uid === undefined ? {} : { uid }),
  })
  const text = { stdout: '', stderr: '' }
  child.stdout.on('data', (chunk: Buffer) => (text.stdout += chunk.toString()))
  child.stderr.on('data', (chunk: Buffer) => (text.stderr += chunk.toString()))
  const exit = once(child, 'close').then(() => ({ code: child.exitCode, ...text }))
  return {
    child,
    ended: () => exit,
    says: (pattern) =>
      new Promise((resolve, reject) => {
        const look = () => {
          const match = pattern.exec(text.stderr)
          if (match !== null) resolve(match)
        }
        child.stderr.on('data', look)
        look()
        child.once('close', () => {
          reject(new Error(`ended without ${pattern.source}: ${text.stderr}`))
        })
      }),
  }
}
