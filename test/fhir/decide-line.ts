import { isRefusal } from '../../src/fhir/decision.ts'
import { isWrite } from '../../src/smart/interactions.ts'
import { decide } from '../../src/fhir/decide.ts'
import { outboundOf } from '../../src/fhir/steps/forward.ts'
import { parseRequest, splitTarget } from '../../src/fhir/steps/parse.ts'
import { createUpstreamUrls } from '../../src/fhir/upstream-url.ts'
import { makeView } from './helper.ts'
import type { WorldOptions } from './helper.ts'

/** parse → allow → scope → bind on one line, `GET Patient/p1`: what goes to the EHR, or the code that refuses. */
const urls = createUpstreamUrls('https://ehr.example/fhir/r4')

export function decideLine(line: string, options: WorldOptions = {}): string {
  const [method = '', path = ''] = line.split(' ')
  const target = splitTarget(`/fhir/launch/${path}`)
  if (isRefusal(target)) return target.code
  const parsed = parseRequest(method, target)
  if (isRefusal(parsed)) return parsed.code
  if (parsed.kind !== 'request') return parsed.kind
  const bound = decide(parsed.request, makeView(options))
  if (isRefusal(bound)) return bound.code
  if (parsed.request.interaction === 'capabilities') return 'own'
  const { method: verb, target: sent, body } = outboundOf(bound.sent, urls)
  const what = isWrite(parsed.request.interaction) ? method : verb
  return `${what} ${sent.replace('/fhir/r4/', '')}${body === undefined ? '' : ` ${body.toString()}`}`
}
