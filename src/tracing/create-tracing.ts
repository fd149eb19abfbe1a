import proxyAddr from '@fastify/proxy-addr'
import {
  ROOT_CONTEXT,
  SpanKind,
  SpanStatusCode,
  trace as traceApi,
  TraceFlags,
  type Context,
  type Span,
} from '@opentelemetry/api'
import { resourceFromAttributes } from '@opentelemetry/resources'
import {
  ParentBasedSampler,
  RandomIdGenerator,
  SamplingDecision,
  TraceIdRatioBasedSampler,
  TracerProvider,
} from '@opentelemetry/sdk-trace'
import type { IncomingMessage } from 'node:http'
import type { Config } from '../config/schema/config.ts'
import { productVersion } from '../config/version.ts'
import { createProcessor, type TracingConfig, type TracingFaults } from './exporter.ts'
import {
  printTraceParent,
  readTraceParent,
  traceOfLaunch,
  type TraceParent,
} from './traceparent.ts'
import type { Step, StepSpan, Trace, TracedRequest, Tracing, RequestSpan } from './tracing.ts'
import { attributesOf, incidentAttribute, type SpanWords } from './words.ts'

/**
 * The one file, with its exporter, that knows OpenTelemetry's packages; it is loaded only where tracing is configured.
 * No global provider, no context that follows the calls by itself, no instrumentation of libraries: those would put
 * addresses and queries into spans.
 */
export function createTracing(
  config: Config,
  tracing: TracingConfig,
  faults: TracingFaults,
): Tracing {
  const ids = createIds()
  const ratio = new TraceIdRatioBasedSampler(tracing.ratio)
  const provider = new TracerProvider({
    sampler: new ParentBasedSampler({ root: ratio }),
    idGenerator: ids,
    spanProcessors: [createProcessor(tracing, faults)],
    resource: resourceFromAttributes({
      'service.name': 'smart-bff',
      'service.version': productVersion(),
      'service.instance.id': config.instance,
    }),
  })
  const tools: Tools = {
    tracer: provider.getTracer('smart-bff', productVersion()),
    ids,
    isSampled: (traceId) =>
      ratio.shouldSample(ROOT_CONTEXT, traceId).decision === SamplingDecision.RECORD_AND_SAMPLED,
    given: createGiven(config, tracing),
    propagate: tracing.propagate,
    tenants: new Set(config.tenants.map(({ id }) => id)),
  }
  return {
    begin: (name, request) => createTrace(tools, name, request),
    close: () => within(provider.shutdown(), flushLimitMs(config)),
  }
}

interface Tools {
  readonly tracer: ReturnType<TracerProvider['getTracer']>
  readonly ids: ReturnType<typeof createIds>
  readonly isSampled: (traceId: string) => boolean
  readonly given: (incoming: IncomingMessage) => TraceParent | undefined
  readonly propagate: boolean
  readonly tenants: ReadonlySet<string>
}

function createTrace(tools: Tools, name: RequestSpan, request: TracedRequest): Trace {
  const { tracer, ids } = tools
  const startedAt = performance.now()
  /** As exact as the monotonic clock, and never further off than the wall clock was when the request came. */
  const epoch = Date.now() - startedAt
  const given = tools.given(request.incoming)
  const options = {
    kind: SpanKind.SERVER,
    startTime: epoch + startedAt,
    attributes: incidentAttribute(request.incident),
  }
  let span: Span | undefined
  let ended = false

  const start = (launch?: string): Span => {
    if (given !== undefined) return tracer.startSpan(name, options, contextOf(given))
    if (launch === undefined) return tracer.startSpan(name, options, ROOT_CONTEXT)
    const own = traceOfLaunch(launch)
    // The first step is the root of its launch's trace; all that follows hangs on it.
    if (name === 'launch')
      return ids.withIds(own, () => tracer.startSpan(name, options, ROOT_CONTEXT))
    const sampled = tools.isSampled(own.traceId)
    return tracer.startSpan(name, options, contextOf({ ...own, sampled }))
  }
  const finish = (one: Span, words: SpanWords): void => {
    one.setAttributes(attributesOf(words, tools.tenants))
    if (words.decision === 'failed') one.setStatus({ code: SpanStatusCode.ERROR })
    one.end(epoch + performance.now())
  }

  return {
    belongsTo: (launch) => {
      span ??= start(launch)
    },
    step: (stepName, since = performance.now()): Step => {
      span ??= start()
      const step = tracer.startSpan(
        stepName,
        { kind: kindOf(stepName), startTime: epoch + since },
        traceApi.setSpan(ROOT_CONTEXT, span),
      )
      return {
        traceparent: tools.propagate ? printTraceParent(parentOf(step)) : undefined,
        end: (words) => finish(step, words),
      }
    },
    end: (words) => {
      if (ended) return
      ended = true
      span ??= start()
      finish(span, words)
    },
  }
}

const kindOf = (name: StepSpan): SpanKind =>
  name === 'ehr' || name === 'ehr.exchange' ? SpanKind.CLIENT : SpanKind.INTERNAL

function contextOf({ traceId, spanId, sampled }: TraceParent): Context {
  const traceFlags = sampled ? TraceFlags.SAMPLED : TraceFlags.NONE
  return traceApi.setSpanContext(ROOT_CONTEXT, { traceId, spanId, traceFlags, isRemote: true })
}

function parentOf(span: Span): TraceParent {
  const { traceId, spanId, traceFlags } = span.spanContext()
  return { traceId, spanId, sampled: (traceFlags & TraceFlags.SAMPLED) !== 0 }
}

/** Only who stands in `trustProxy` may say in which trace a request belongs. */
function createGiven({ trustProxy }: Config, { accept }: TracingConfig): Tools['given'] {
  if (!accept || trustProxy.length === 0) return () => undefined
  const trusted = proxyAddr.compile([...trustProxy])
  return ({ headers, socket }) =>
    trusted(socket.remoteAddress ?? '', 0) ? readTraceParent(headers['traceparent']) : undefined
}

/** Random ids, but for a span whose ids are its launch's. */
function createIds() {
  const random = new RandomIdGenerator()
  let fixed: Pick<TraceParent, 'traceId' | 'spanId'> | undefined
  return {
    generateTraceId: () => fixed?.traceId ?? random.generateTraceId(),
    generateSpanId: () => fixed?.spanId ?? random.generateSpanId(),
    withIds: (own: NonNullable<typeof fixed>, make: () => Span): Span => {
      fixed = own
      try {
        return make()
      } finally {
        fixed = undefined
      }
    },
  }
}

/** The audit is closed after this: tracing takes a quarter of the time to stop in at most. */
function flushLimitMs({ shutdownSeconds, drainSeconds }: Config): number {
  return Math.min(2_000, ((shutdownSeconds - drainSeconds) * 1000) / 4)
}

async function within(work: Promise<void>, limitMs: number): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>()
  const timer = setTimeout(resolve, limitMs)
  // What could not be sent has been told as an alarm.
  await Promise.race([work.catch(() => undefined), promise])
  clearTimeout(timer)
}
