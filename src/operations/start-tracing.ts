import type { Config } from '../config/schema/config.ts'
import { loadTracing } from '../tracing/load.ts'
import type { Tracing } from '../tracing/tracing.ts'
import type { Log } from './log.ts'

/** Spans are copies of what the audit has: that they are lost is an alarm in the log and nothing else. */
export function startTracing(config: Config, log: Log): Promise<Tracing | undefined> {
  return loadTracing(config, {
    failing: (reason, error) => log.error({ event: 'tracing.failing', reason, error }),
    recovered: (count) => log.info({ event: 'tracing.recovered', count }),
  })
}
