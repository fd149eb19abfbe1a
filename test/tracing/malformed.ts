/** The example of W3C Trace Context, and what is no traceparent (3.2). */

export const traceId = '0af7651916cd43dd8448eb211c80319c'
export const spanId = 'b7ad6b7169203331'

export const malformed = [
  '',
  '00',
  `01-${traceId}-${spanId}-01`,
  `ff-${traceId}-${spanId}-01`,
  `00-${traceId}-${spanId}-01-x`,
  `00-${traceId}-${spanId}-1`,
  `00-${traceId}-${spanId}-0g`,
  `00-${traceId.toUpperCase()}-${spanId}-01`,
  `00-${'0'.repeat(32)}-${spanId}-01`,
  `00-${traceId}-${'0'.repeat(16)}-01`,
  `00-${traceId.slice(1)}-${spanId}-01`,
  `00-${traceId}-${spanId}0-01`,
  ` 00-${traceId}-${spanId}-01`,
  `00-${traceId}-${spanId}-01\n`,
  // Two headers, as node:http joins them.
  `00-${traceId}-${spanId}-01, 00-${traceId}-${spanId}-01`,
]
