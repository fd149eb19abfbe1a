import t from 'tap'
import { startHospital } from '../support/hospital.ts'
import { sendRaw, statusesOf } from '../support/raw-http.ts'

/**
 * Request smuggling: a message that two parties measure differently hides a second one inside (undici CVE-2026-1525 and
 * its kind). Whatever is ambiguous is refused, the connection closed, and nothing of it reaches the EHR.
 */
t.test('a message of two lengths is no message', async (t) => {
  const hospital = await startHospital()
  t.teardown(() => hospital.close())
  const { sandbox, publicUrl } = hospital
  const port = Number(new URL(publicUrl).port)
  const browser = hospital.browser()
  const patient = sandbox.patient('amara').id
  const { launch } = await browser.launch({ patient })
  const cookie = [...browser.jar.cookies].map(([name, value]) => `${name}=${value}`).join('; ')
  const path = `/fhir/${launch}/Observation/_search`
  const hidden = `GET /fhir/${launch}/Patient/${patient} HTTP/1.1\r\nHost: localhost\r\nSMART-BFF: 1\r\nCookie: ${cookie}\r\n\r\n`
  const head = (...lines: string[]): string =>
    [
      `POST ${path} HTTP/1.1`,
      'Host: localhost',
      'SMART-BFF: 1',
      `Cookie: ${cookie}`,
      'Content-Type: application/x-www-form-urlencoded',
      ...lines,
      '',
      '',
    ].join('\r\n')
  const ambiguous: Readonly<Record<string, string>> = {
    'content-length twice': head('Content-Length: 0', `Content-Length: ${hidden.length}`) + hidden,
    'content-length in two cases':
      head('Content-Length: 0', `content-length: ${hidden.length}`) + hidden,
    'content-length as a list': head(`Content-Length: 0, ${hidden.length}`) + hidden,
    'content-length with a sign': `${head('Content-Length: +0')}${hidden}`,
    'length and chunks': `${head('Content-Length: 4', 'Transfer-Encoding: chunked')}0\r\n\r\n${hidden}`,
    'chunks of another name': `${head('Transfer-Encoding: xchunked')}0\r\n\r\n${hidden}`,
    'chunked not last': `${head('Transfer-Encoding: chunked, identity')}0\r\n\r\n${hidden}`,
    'a space before the colon': `${head('Content-Length : 0')}${hidden}`,
    'a folded line': `${head('X-A: b\r\n Content-Length: 0')}${hidden}`,
    'a bare LF': head('X-A: b\nContent-Length: 0') + hidden,
    'a bare CR': head('X-A: b\rContent-Length: 0') + hidden,
    'a NUL': head('X-A: b\0c') + hidden,
    'a chunk extension with a bare LF': `${head('Transfer-Encoding: chunked')}2;\nxx\r\n00\r\n0\r\n\r\n${hidden}`,
  }
  sandbox.control.clearRequests()
  for (const [name, bytes] of Object.entries(ambiguous)) {
    const statuses = statusesOf(await sendRaw(port, bytes))
    t.ok(
      statuses.length <= 1 && statuses.every((status) => status === 400),
      `${name}: ${statuses.join(' ')}`,
    )
  }
  t.strictSame(
    sandbox.requests().filter(({ where }) => where === 'fhir'),
    [],
    'nothing reached the EHR',
  )
  const plain = await sendRaw(port, hidden)
  t.strictSame(statusesOf(plain), [200], 'what was hidden is a good request by itself')
})
