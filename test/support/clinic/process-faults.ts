import dns from 'node:dns'
import { readFileSync, writeFileSync } from 'node:fs'
import { syncBuiltinESMExports } from 'node:module'
import { holdClock } from '../clock.ts'

/**
 * Loaded before smart-bff (`node --import`): what a machine does to a process that cannot be done to it from outside.
 * The file named by PROCESS_FAULTS says what holds now: { "clockOffsetMs": 0, "dns": "works" | "fails" }. How many
 * lookups have failed stands beside it, in a file of this process: `lookupsFile`.
 */
const file = process.env['PROCESS_FAULTS'] ?? ''
const againMs = 100
const clock = holdClock()
let now = { clockOffsetMs: 0, dns: 'works' }
let failed = 0
let told = -1

function look(): void {
  try {
    const next = JSON.parse(readFileSync(file, 'utf8')) as typeof now
    clock.forward(next.clockOffsetMs - now.clockOffsetMs)
    now = next
  } catch {
    // It is being written.
  }
}

function tell(): void {
  if (told === failed) return
  try {
    writeFileSync(`${file}.${process.pid}`, String(failed))
    told = failed
  } catch {
    // The disk is full; the next look tries again.
  }
}

setInterval(() => {
  look()
  tell()
}, againMs).unref()

// A limit on the size of files stands for a full disk; its signal would end the process before the write could fail.
process.on('SIGXFSZ', () => undefined)

type Lookup = (host: string, ...rest: unknown[]) => unknown
type Answer = (error: NodeJS.ErrnoException) => void
const lookup = dns.lookup as Lookup
const withFaults: Lookup = (host, ...rest) => {
  if (now.dns !== 'fails' || host === '') return lookup(host, ...rest)
  failed += 1
  const error = Object.assign(new Error(`getaddrinfo EAI_AGAIN ${host}`), {
    code: 'EAI_AGAIN',
    errno: -3001,
    syscall: 'getaddrinfo',
    hostname: host,
  })
  process.nextTick(rest.at(-1) as Answer, error)
  return undefined
}
Object.assign(dns, { lookup: withFaults })
syncBuiltinESMExports()
