import { Worker } from 'node:worker_threads'
import { refuse } from '../decision.ts'
import type { Refusal } from '../decision.ts'
import type { AwayAnswer, AwayAsk, AwayResult, LookAsk, Looked, RewrittenAway } from './away.ts'

/** What is asked, without the number that finds its answer. */
export type AwayQuestion = Omit<AwayAsk, 'number'>

export interface AwayJudge {
  judge(question: AwayQuestion): Promise<RewrittenAway | Refusal>
  look(question: Omit<LookAsk, 'number'>): Promise<Looked | Refusal>
  close(): Promise<void>
}

/** Parsing takes several times an answer's size; an answer that takes more ends the worker, not the process. */
const heapMbMax = 512
/** Between large answers the memory is given back. */
const idleMs = 30_000

/** One worker, started by the first large answer; a question that brings it down is refused. */
export function createAwayJudge(heapMb = heapMbMax): AwayJudge {
  let worker: Worker | undefined
  let number = 0
  let idle: NodeJS.Timeout | undefined
  const waiting = new Map<number, (result: AwayResult) => void>()

  const settle = ({ number: which, result }: AwayAnswer): void => {
    waiting.get(which)?.(result)
    waiting.delete(which)
    if (waiting.size > 0) return
    idle = setTimeout(() => void stop(), idleMs)
    idle.unref()
  }
  const stop = async (): Promise<void> => {
    const stopped = worker
    worker = undefined
    await stopped?.terminate()
  }
  const start = (): Worker => {
    const extension = import.meta.url.endsWith('.ts') ? 'ts' : 'js'
    const started = new Worker(new URL(`./worker.${extension}`, import.meta.url), {
      resourceLimits: { maxOldGenerationSizeMb: heapMb },
    })
    started.unref()
    started.on('message', settle)
    // Without a listener an error of the worker would be one of the process.
    started.on('error', () => undefined)
    started.once('exit', () => {
      if (worker === started) worker = undefined
      // One of these was too much for it; which one, nobody can tell.
      for (const answer of waiting.values()) answer(refuse('FHIR_ANSWER_TOO_LARGE'))
      waiting.clear()
    })
    return started
  }

  const ask = (question: AwayQuestion | Omit<LookAsk, 'number'>): Promise<AwayResult> => {
    clearTimeout(idle)
    worker ??= start()
    number += 1
    const numbered = { ...question, bytes: owned(question.bytes), number }
    const { buffer } = numbered.bytes
    const answered = new Promise<AwayResult>((resolve) => {
      waiting.set(numbered.number, resolve)
    })
    worker.postMessage(numbered, buffer instanceof ArrayBuffer ? [buffer] : [])
    return answered
  }

  return {
    judge: async (question) => {
      const result = await ask(question)
      return result.kind === 'looked' ? refuse('FHIR_ANSWER_UNREADABLE') : asBuffer(result)
    },
    look: async (question) => {
      const result = await ask(question)
      return result.kind === 'rewritten' ? refuse('FHIR_ANSWER_UNREADABLE') : result
    },
    close: stop,
  }
}

/** Memory that can be handed over: the bytes alone, nobody else's beside them. */
function owned(bytes: Uint8Array): Uint8Array {
  const whole = bytes.byteLength === bytes.buffer.byteLength
  return whole ? new Uint8Array(bytes.buffer) : new Uint8Array(bytes)
}

/** A Buffer crosses as a Uint8Array. */
function asBuffer(result: RewrittenAway | Refusal): RewrittenAway | Refusal {
  if (result.kind === 'refuse') return result
  const { body } = result
  return { ...result, body: Buffer.from(body.buffer, body.byteOffset, body.byteLength) }
}
