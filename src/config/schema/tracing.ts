import { z } from 'zod'
import { outbound, secretHeader, webUrl } from './common.ts'

/** OpenTelemetry traces over OTLP/HTTP. Without this section nothing of it is loaded and nothing is sent. */
export const tracing = z.strictObject({
  /** The collector's address for traces, path included. */
  endpoint: webUrl,
  /** The share of launches that is traced: a launch is traced whole or not at all. */
  ratio: z.number().min(0).max(1).default(0.1),
  /** The `traceparent` of a proxy in `trustProxy` counts; nobody else's does. */
  accept: z.boolean().default(false),
  /** FHIR requests to the EHR carry `traceparent`. */
  propagate: z.boolean().default(false),
  /** A header value, `Bearer …` or `Basic …`. */
  authorization: secretHeader.optional(),
  ca: outbound.ca,
  clientCertificate: outbound.clientCertificate,
})
