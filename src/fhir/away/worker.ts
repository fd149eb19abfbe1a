import { parentPort } from 'node:worker_threads'
import { judgeAway } from './away.ts'
import type { AwayAsk, AwayAnswer } from './away.ts'

/** The thread of away.ts: one question at a time. */
const port = parentPort
if (port === null) throw new Error('this file runs as a worker')

port.on('message', (ask: AwayAsk) => {
  const result = judgeAway(ask)
  const answer: AwayAnswer = { number: ask.number, result }
  // The body is handed over, not copied.
  if (result.kind === 'rewritten') port.postMessage(answer, [ownBuffer(result.body)])
  else port.postMessage(answer)
})

function ownBuffer({ buffer }: Buffer): ArrayBuffer {
  if (buffer instanceof ArrayBuffer) return buffer
  throw new TypeError('shared memory')
}
