import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-http'
import { BatchSpanProcessor } from '@opentelemetry/sdk-trace'
import type { SpanExporter, SpanProcessor } from '@opentelemetry/sdk-trace'
import type { Config } from '../config/schema/config.ts'

/**
 * The way to the collector: a bounded queue and few, bounded attempts. What it cannot take is lost, counted and told;
 * no request waits for it or hears of it (DESIGN rule 17).
 */
export interface TracingFaults {
  /** At the first loss of an outage. */
  failing(reason: 'export' | 'queue_full', error?: unknown): void
  /** The collector takes spans again; so many were lost. */
  recovered(lost: number): void
}

export type TracingConfig = NonNullable<Config['operations']['tracing']>

const queueMax = 2048
const batchMax = 256
const attemptMs = 5_000
const delayMs = 2_000

/** SpanProcessor without the members that nobody here calls. */
export function createProcessor(config: TracingConfig, faults: TracingFaults): SpanProcessor {
  const losses = countLosses(faults)
  const exporter = collectorOf(config)
  let waiting = 0
  const watched: SpanExporter = {
    export: (spans, done) => {
      waiting -= spans.length
      exporter.export(spans, (result) => {
        if (result.error === undefined) losses.none()
        else losses.lose(spans.length, 'export', result.error)
        done(result)
      })
    },
    shutdown: () => exporter.shutdown(),
  }
  const batches = new BatchSpanProcessor({
    exporter: watched,
    maxQueueSize: queueMax,
    maxExportBatchSize: batchMax,
    scheduledDelayMillis: delayMs,
    exportTimeoutMillis: 2 * attemptMs,
  })
  return {
    onStart: () => undefined,
    onEnd: (span) => {
      if (waiting >= queueMax) return losses.lose(1, 'queue_full')
      waiting += 1
      batches.onEnd(span)
    },
    forceFlush: () => batches.forceFlush(),
    shutdown: () => batches.shutdown(),
  }
}

/** Redirects are not followed (node:http); whatever OTEL_… variables say, the configuration's values stand. */
function collectorOf(config: TracingConfig): OTLPTraceExporter {
  const { endpoint, authorization, ca, clientCertificate } = config
  return new OTLPTraceExporter({
    url: endpoint,
    timeoutMillis: attemptMs,
    concurrencyLimit: 2,
    ...(authorization === undefined ? {} : { headers: { authorization: authorization.reveal() } }),
    httpAgentOptions: {
      keepAlive: true,
      ...(ca === undefined ? {} : { ca: ca.reveal() }),
      ...(clientCertificate === undefined
        ? {}
        : { cert: clientCertificate.cert.reveal(), key: clientCertificate.key.reveal() }),
    },
  })
}

function countLosses(faults: TracingFaults) {
  let lost = 0
  return {
    lose: (count: number, reason: 'export' | 'queue_full', error?: unknown): void => {
      if (lost === 0) faults.failing(reason, error)
      lost += count
    },
    none: (): void => {
      if (lost > 0) faults.recovered(lost)
      lost = 0
    },
  }
}
