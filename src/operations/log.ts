import { pino } from 'pino'
import type { DestinationStream, Logger, LoggerOptions } from 'pino'
import { createStandardOutputCopy } from '../audit/copies/standard-output.ts'
import { errorFields } from './error-fields.ts'
import { logEvents } from './log-events.ts'
import type { FieldForm, LogEvent } from './log-events.ts'

/**
 * The application log: JSON lines, each a row of `log-events.ts` and nothing else. Lines are written beside the event
 * loop: a collector that stops reading keeps nobody from the chart, and what no longer fits is left out.
 */
export interface Log {
  debug(event: LogEvent): void
  info(event: LogEvent): void
  warn(event: LogEvent): void
  error(event: LogEvent): void
  setLevel(level: LogOptions['level']): void
}

export interface ApplicationLog extends Log {
  /** Written, after all that was said before it, when this returns: the process ends now. */
  lastWords(event: LogEvent): void
  /** What waits is written, within a second. */
  close(): Promise<void>
}

export interface LogOptions {
  readonly level: 'debug' | 'info' | 'warn' | 'error' | 'silent'
  readonly instance?: string
  /** Standard output when left out. */
  readonly destination?: DestinationStream
}

export function createLog(options: LogOptions): ApplicationLog {
  const { level, instance, destination } = options
  const form: LoggerOptions = {
    level,
    base: instance === undefined ? {} : { instance: printable('word', instance) },
    timestamp: () => `,"time":"${new Date().toISOString()}"`,
    formatters: { level: (label) => ({ level: label }) },
  }
  const output = createStandardOutputCopy({ now: Date.now, onFault: () => undefined })
  const logger = pino(form, destination ?? { write: (line) => output.offer(line) })
  const at = (levelName: 'debug' | 'info' | 'warn' | 'error') => (event: LogEvent) => {
    print(logger, levelName, event)
  }
  return {
    debug: at('debug'),
    info: at('info'),
    warn: at('warn'),
    error: at('error'),
    setLevel: (next) => {
      logger.level = next
    },
    lastWords: (event) => {
      const last = destination ?? { write: (line: string) => output.writeLast(line) }
      print(pino(form, last), 'error', event)
    },
    close: () => output.close(),
  }
}

function print(logger: Logger, level: 'debug' | 'info' | 'warn' | 'error', event: LogEvent): void {
  if (!logger.isLevelEnabled(level)) return
  logger[level](logFields(event))
}

/** The fields of the event's row, in their order, each in its form: the only way into the log. */
function logFields(event: LogEvent): Record<string, unknown> {
  const row: Readonly<Record<string, FieldForm>> | undefined = Object.hasOwn(logEvents, event.event)
    ? logEvents[event.event]
    : undefined
  if (row === undefined) return { event: 'unknown' }
  const given = new Map<string, unknown>(Object.entries(event))
  const fields: Record<string, unknown> = { event: event.event }
  for (const [name, form] of Object.entries(row)) {
    const value = given.get(name)
    if (value !== undefined) fields[name] = printable(form, value)
  }
  return fields
}

const forms = {
  word: /^[A-Za-z0-9._:@/+-]{1,128}$/,
  incident: /^[0-9A-Z]{4}-[0-9A-Z]{4}-[0-9A-Z]{2}$/,
  route: /^(?:\/(?::?[a-z][a-zA-Z.-]{0,31}|\*)?)+$/,
} as const

function printable(form: FieldForm, value: unknown): unknown {
  if (form === 'error') return errorFields(value)
  if (form === 'number') return typeof value === 'number' && Number.isFinite(value) ? value : '?'
  if (form === 'flag') return value === true
  return typeof value === 'string' && forms[form].test(value) ? value : '?'
}
