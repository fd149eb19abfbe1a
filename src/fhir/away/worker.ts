import { parentPort } from 'node:worker_threads'
import { judgeAway, lookAt } from './away.ts'
import type { AwayAsk, AwayAnswer, LookAsk } from './away.ts'

/** The thread of away.ts: one question at a time. */
const port = parentPort
if (port === null) throw new Error('this file runs as a worker')

port.on('message', (ask: AwayAsk | LookAsk) => {
  const result = 'parts' in ask ? judgeAway(ask) : lookAt(ask.bytes, ask.merge, ask.person)
  if (result.kind !== 'rewritten') {
    port.postMessage({ number: ask.number, result } satisfies AwayAnswer)
    return
  }
  const { body } = result
  // Handed over, not copied; but a small one lies in memory that it shares with others.
  const owned = body.byteLength === body.buffer.byteLength ? body : Buffer.alloc(body.length, body)
  const { buffer } = owned
  const answer: AwayAnswer = { number: ask.number, result: { ...result, body: owned } }
  port.postMessage(answer, buffer instanceof ArrayBuffer ? [buffer] : [])
})
