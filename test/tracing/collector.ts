import type { IncomingMessage, ServerResponse } from 'node:http'
import { startServer } from '../support/http.ts'

/** An OpenTelemetry collector: OTLP/HTTP in its JSON form, over a real socket. */
export interface Collector {
  readonly endpoint: string
  /** Everything that was received, headers too. */
  text(): string
  spans(): readonly ReceivedSpan[]
  close(): Promise<void>
}

export interface ReceivedSpan {
  readonly name: string
  readonly traceId: string
  readonly spanId: string
  readonly parentSpanId: string | undefined
  readonly kind: number
  readonly milliseconds: number
  readonly attributes: Readonly<Record<string, string | number>>
}

/** `answer` stands for a collector with a mind of its own. */
export async function startCollector(
  answer: (response: ServerResponse) => void = (response) => {
    response.writeHead(200, { 'content-type': 'application/json' }).end('{}')
  },
): Promise<Collector> {
  const received: { readonly headers: string; readonly body: string }[] = []
  const take = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const chunks: Buffer[] = []
    for await (const chunk of request) chunks.push(chunk as Buffer)
    const body = Buffer.concat(chunks).toString()
    received.push({ headers: `${request.url} ${request.rawHeaders.join(' ')}`, body })
    answer(response)
  }
  const server = await startServer((request, response) => {
    take(request, response).catch(() => response.destroy())
  })
  return {
    endpoint: `http://127.0.0.1:${server.port}/v1/traces`,
    text: () => received.map(({ headers, body }) => `${headers}\n${body}`).join('\n'),
    spans: () => received.flatMap(({ body }) => spansOf(body)),
    close: () => server.close(),
  }
}

interface Otlp {
  readonly resourceSpans: readonly {
    readonly scopeSpans: readonly { readonly spans: readonly OtlpSpan[] }[]
  }[]
}

interface OtlpSpan {
  readonly name: string
  readonly traceId: string
  readonly spanId: string
  readonly parentSpanId?: string
  readonly kind: number
  readonly startTimeUnixNano: string
  readonly endTimeUnixNano: string
  readonly attributes: readonly {
    readonly key: string
    readonly value: { readonly stringValue?: string; readonly intValue?: number }
  }[]
}

function spansOf(body: string): readonly ReceivedSpan[] {
  const { resourceSpans } = JSON.parse(body) as Otlp
  return resourceSpans
    .flatMap(({ scopeSpans }) => scopeSpans.flatMap(({ spans }) => spans))
    .map(({ name, traceId, spanId, parentSpanId, kind, attributes, ...times }) => ({
      name,
      traceId,
      spanId,
      parentSpanId,
      kind,
      milliseconds:
        Number(BigInt(times.endTimeUnixNano) - BigInt(times.startTimeUnixNano)) / 1_000_000,
      attributes: Object.fromEntries(
        attributes.map(({ key, value }) => [key, value.stringValue ?? value.intValue ?? 'unread']),
      ),
    }))
}
