import { Worker } from 'node:worker_threads'
import { refuse } from '../decision.ts'
import type { Refusal } from '../decision.ts'
import type { SplitBundle } from '../split-bundle.ts'
import type { Made } from '../write/make.ts'
import type {
  Ask,
  AwayAnswer,
  AwayAsk,
  AwayResult,
  LookAsk,
  Looked,
  MakeAsk,
  RewrittenAway,
} from './messages.ts'

/** What is asked, without the number that finds its answer. */
export type AwayQuestion = Omit<AwayAsk, 'number'>
export type MakeAwayQuestion = Omit<MakeAsk, 'number'>
type Unnumbered<T> = T extends unknown ? Omit<T, 'number'> : never

export interface AwayJudge {
  judge(question: AwayQuestion): Promise<RewrittenAway | Refusal>
  look(question: Omit<LookAsk, 'number'>): Promise<Looked | Refusal>
  make(question: MakeAwayQuestion): Promise<Made | Refusal>
  split(bytes: Uint8Array): Promise<SplitBundle | Refusal>
  close(): Promise<void>
}

/**
 * Parsing takes many times an answer's size. What could take more is refused before it is parsed (away.ts, isTooDense):
 * V8 ends the whole process, not the worker alone, when a heap overflows inside JSON.parse.
 */
const heapMb = 768
/** The thread, and who waits for its answers. */
interface Running {
  readonly thread: Worker
  readonly waiting: Map<number, (result: AwayResult) => void>
}

/** Between large answers the memory is given back. */
const idleMs = 30_000

/** One worker, started by the first large answer; a question that brings it down is refused. */
export function createAwayJudge(): AwayJudge {
  let running: Running | undefined
  let number = 0
  let idle: NodeJS.Timeout | undefined

  const stop = async (): Promise<void> => {
    const stopped = running
    running = undefined
    await stopped?.thread.terminate()
  }
  const start = (): Running => {
    const extension = import.meta.url.endsWith('.ts') ? 'ts' : 'js'
    const thread = new Worker(new URL(`./worker.${extension}`, import.meta.url), {
      resourceLimits: { maxOldGenerationSizeMb: heapMb },
    })
    const waiting: Running['waiting'] = new Map()
    const started = { thread, waiting }
    thread.unref()
    thread.on('message', ({ number: which, result }: AwayAnswer) => {
      waiting.get(which)?.(result)
      waiting.delete(which)
      if (waiting.size > 0 || running !== started) return
      idle = setTimeout(() => void stop(), idleMs)
      idle.unref()
    })
    // Without a listener an error of the worker would be one of the process.
    thread.on('error', () => undefined)
    thread.once('exit', () => {
      if (running === started) running = undefined
      // One of these was too much for it; which one, nobody can tell.
      for (const answer of waiting.values()) answer(refuse('FHIR_ANSWER_TOO_LARGE'))
      waiting.clear()
    })
    return started
  }

  const ask = (question: Unnumbered<Ask>): Promise<AwayResult> => {
    clearTimeout(idle)
    running ??= start()
    const { thread, waiting } = running
    number += 1
    const numbered = { ...question, bytes: owned(question.bytes), number }
    const answered = new Promise<AwayResult>((resolve) => {
      waiting.set(numbered.number, resolve)
    })
    const { buffer } = numbered.bytes
    thread.postMessage(numbered, buffer instanceof ArrayBuffer ? [buffer] : [])
    return answered
  }

  return {
    judge: async (question) => {
      const result = await ask(question)
      return isOf('rewritten', result) ? asBuffer(result) : otherwise(result)
    },
    look: async (question) => {
      const result = await ask(question)
      return isOf('looked', result) ? result : otherwise(result)
    },
    make: async (question) => {
      const result = await ask(question)
      return isOf('made', result) ? result : otherwise(result)
    },
    split: async (bytes) => {
      const result = await ask({ bytes, split: true })
      return isOf('split', result) ? result : otherwise(result)
    },
    close: stop,
  }
}

function isOf<Kind extends AwayResult['kind']>(
  kind: Kind,
  result: AwayResult,
): result is Extract<AwayResult, { kind: Kind }> {
  return result.kind === kind
}

function otherwise(result: AwayResult): Refusal {
  return result.kind === 'refuse' ? result : refuse('FHIR_ANSWER_UNREADABLE')
}

/** Memory that can be handed over: the bytes alone, nobody else's beside them. */
function owned(bytes: Uint8Array): Uint8Array {
  const whole = bytes.byteLength === bytes.buffer.byteLength
  return whole ? new Uint8Array(bytes.buffer) : new Uint8Array(bytes)
}

/** A Buffer crosses as a Uint8Array. */
function asBuffer(result: RewrittenAway): RewrittenAway {
  const { body } = result
  return { ...result, body: Buffer.from(body.buffer, body.byteOffset, body.byteLength) }
}
