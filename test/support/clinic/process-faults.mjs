// Loaded before smart-bff (`node --import`): what a machine does to a process that cannot be done to it from outside.
// The file named by PROCESS_FAULTS says what holds now: { "clockOffsetMs": 0, "dns": "works" | "fails" }.
import dns from 'node:dns'
import { readFileSync } from 'node:fs'
import { syncBuiltinESMExports } from 'node:module'

const file = process.env['PROCESS_FAULTS']
let now = { clockOffsetMs: 0, dns: 'works' }
const look = () => {
  try {
    now = JSON.parse(readFileSync(file, 'utf8'))
  } catch {
    // It is being written.
  }
}
setInterval(look, 100).unref()

// A limit on the size of files stands for a full disk; its signal would end the process before the write could fail.
process.on('SIGXFSZ', () => undefined)

const clock = Date.now
Date.now = () => clock() + now.clockOffsetMs

const lookup = dns.lookup
dns.lookup = (host, ...rest) => {
  if (now.dns !== 'fails' || host === '') return lookup(host, ...rest)
  const error = Object.assign(new Error(`getaddrinfo EAI_AGAIN ${host}`), {
    code: 'EAI_AGAIN',
    errno: -3001,
    syscall: 'getaddrinfo',
    hostname: host,
  })
  process.nextTick(() => rest.at(-1)(error))
}
syncBuiltinESMExports()
