import { parentPort, workerData } from 'node:worker_threads'
import { indexes, isDamaged, openDatabase, removeDatabase } from './database.ts'
import { createIngest } from './ingest.ts'
import type { IngestProgress } from './ingest.ts'
import { createStreamed } from './streamed.ts'
import { indexWorkerData } from './messages.ts'
import type { IndexQuestion, IndexResult } from './messages.ts'
import { countStatement, peopleStatement, searchStatement } from './query.ts'
import { readSeries } from './series-query.ts'
import type { AuditQuery } from './query.ts'

/** SQLite is synchronous, so it has a thread of its own: a search costs the launches and the proxy nothing. */
const { path, directory, pollMs, retentionDays } = indexWorkerData.parse(workerData)
const port = parentPort
if (port === null) throw new Error('this file runs as a worker')
const database = openDatabase(path)
const ingest = createIngest(database, directory)
const streamed = createStreamed(database, directory)
const hourMs = 3_600_000
let tidyAt = 0
let running: Promise<void> | undefined
let next: Promise<void> | undefined
let failing = false

const pause = () => new Promise<void>((resolve) => setImmediate(resolve))

async function round(): Promise<void> {
  await ingest.round(pause)
  database.exec(indexes)
  if (Date.now() < tidyAt) return
  tidyAt = Date.now() + hourMs
  await streamed.tidy(Date.now() - retentionDays * 24 * hourMs)
}

async function roundToItsEnd(): Promise<void> {
  try {
    await round()
    failing = false
  } catch (error) {
    fail(error)
  }
  running = undefined
}

/** Resolves after a round that began after the question, so that what was written before it is found. */
async function update(): Promise<void> {
  if (running === undefined) {
    running = roundToItsEnd()
    return running
  }
  next ??= running.then(() => {
    next = undefined
    return update()
  })
  return next
}

/** Told once, until a round succeeds again; what the index has can be searched meanwhile. */
function fail(error: unknown): void {
  if (isDamaged(error)) throwAway(error)
  if (!failing) port?.postMessage({ id: 0, ok: false, message: nameOf(error) })
  failing = true
}

/** The next question starts this worker again, which then makes the index anew from the files. */
function throwAway(error: unknown): void {
  removeDatabase(path)
  setImmediate(() => {
    throw error
  })
}

/** Nothing of a message: it may hold what was searched for. */
const nameOf = (error: unknown): string =>
  error instanceof Error && 'code' in error ? String(error.code) : 'failed'

function search(query: AuditQuery) {
  const { sql, values } = searchStatement({ ...query, limit: query.limit + 1 })
  const rows = database.prepare(sql).all(...values)
  const shown = rows.slice(0, query.limit)
  const last = rows.length > query.limit ? shown.at(-1) : undefined
  return {
    lines: shown.map((row) => String(row['line'])),
    next:
      last === undefined
        ? undefined
        : { denied: Number(last['denied']), at: Number(last['at']), id: Number(last['id']) },
  }
}

function count(query: AuditQuery) {
  const { sql, values } = countStatement(query)
  return { count: Number(database.prepare(sql).get(...values)?.['n'] ?? 0) }
}

function people(query: AuditQuery) {
  const { sql, values } = peopleStatement(query)
  const rows = database.prepare(sql).all(...values)
  return {
    people: rows.map((row) => ({
      user: String(row['user']),
      tenant: row['tenant'] === null ? undefined : String(row['tenant']),
      requests: Number(row['requests']),
      launches: Number(row['launches']),
      writes: Number(row['writes']),
      first: Number(row['first']),
      last: Number(row['last']),
    })),
  }
}

/** The index is complete from when both the files here and the records of the other replicas are. */
function progress(): IngestProgress {
  const here = { ...ingest.progress(), failing }
  const others = streamed.since()
  if (others === undefined || here.since === undefined) return here
  const since = new Date(others).toISOString()
  return { ...here, since: since > here.since ? since : here.since }
}

async function answer(question: IndexQuestion): Promise<IndexResult> {
  switch (question.kind) {
    case 'search':
      return search(question.query)
    case 'count':
      return count(question.query)
    case 'people':
      return people(question.query)
    case 'series':
      return readSeries(database, question.query)
    case 'update':
      await update()
      return progress()
    case 'progress':
      return progress()
    case 'streamed':
      return streamed.add(question.lines)
  }
}

port.on('message', (question: IndexQuestion) => {
  answer(question).then(
    (result) => port.postMessage({ id: question.id, ok: true, result }),
    (error: unknown) => {
      if (isDamaged(error)) throwAway(error)
      port.postMessage({ id: question.id, ok: false, message: nameOf(error) })
    },
  )
})

const poll = setInterval(() => {
  if (running === undefined) void update()
}, pollMs)
poll.unref()
