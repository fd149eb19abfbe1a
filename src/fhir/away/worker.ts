import { parentPort } from 'node:worker_threads'
import { judgeAway, lookAt, makeAway, splitAway } from './away.ts'
import type { Ask, AwayAnswer, AwayResult } from './messages.ts'

/** The thread of away.ts: one question at a time. */
const port = parentPort
if (port === null) throw new Error('this file runs as a worker')

function answer(ask: Ask): AwayResult {
  if ('parts' in ask) return judgeAway(ask)
  if ('make' in ask) return makeAway(ask)
  if ('split' in ask) return splitAway(ask)
  return lookAt(ask.bytes, ask.merge, ask.person)
}

port.on('message', (ask: Ask) => {
  const result = answer(ask)
  if (result.kind !== 'rewritten') {
    port.postMessage({ number: ask.number, result } satisfies AwayAnswer)
    return
  }
  const { body } = result
  // Handed over, not copied; but a small one lies in memory that it shares with others.
  const owned = body.byteLength === body.buffer.byteLength ? body : Buffer.alloc(body.length, body)
  const { buffer } = owned
  const message: AwayAnswer = { number: ask.number, result: { ...result, body: owned } }
  port.postMessage(message, buffer instanceof ArrayBuffer ? [buffer] : [])
})
