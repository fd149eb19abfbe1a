import type { Config } from '../config/schema/config.ts'
import type { TracingFaults } from './exporter.ts'
import type { Tracing } from './tracing.ts'

/** Off unless configured, and then not one package of it is loaded. */
export async function loadTracing(
  config: Config,
  faults: TracingFaults,
): Promise<Tracing | undefined> {
  const { tracing } = config.operations
  if (tracing === undefined) return undefined
  const { createTracing } = await import('./create-tracing.ts')
  return createTracing(config, tracing, faults)
}
