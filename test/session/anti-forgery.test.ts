import type { IncomingHttpHeaders } from 'node:http'
import t from 'tap'
import { type BrowserRefusal, judgeBrowserRequest } from '../../src/session/anti-forgery.ts'

const publicOrigin = 'https://app.hospital.example'
const own = { 'sec-fetch-site': 'same-origin', 'sec-fetch-mode': 'cors', 'sec-fetch-dest': 'empty' }
const image = { ...own, 'sec-fetch-mode': 'no-cors', 'sec-fetch-dest': 'image' }

function judge(
  headers: IncomingHttpHeaders,
  { method = 'GET', allowImage = false } = {},
): BrowserRefusal | 'allow' {
  const decision = judgeBrowserRequest({ method, headers, publicOrigin, allowImage })
  return decision.kind === 'allow' ? 'allow' : decision.reason
}

t.test('what our own page sends is allowed', async (t) => {
  t.equal(judge(own), 'allow')
  t.equal(judge({ ...own, 'sec-fetch-mode': 'same-origin' }), 'allow')
  t.equal(judge({ ...own, origin: publicOrigin }, { method: 'DELETE' }), 'allow')
  t.equal(judge(own, { method: 'DELETE' }), 'allow', 'without an Origin')
  t.equal(judge(image, { allowImage: true }), 'allow')
})

t.test('a client without Sec-Fetch headers says who it is', async (t) => {
  t.equal(judge({}), 'header_missing')
  t.equal(judge({ 'smart-bff': '1' }), 'allow')
  t.equal(judge({ 'smart-bff': '0' }), 'header_missing')
  t.equal(judge({ 'smart-bff': '1, 1' }), 'header_missing')
  t.equal(judge({ 'smart-bff': '1', origin: publicOrigin }, { method: 'PUT' }), 'allow')
  t.equal(judge({ 'smart-bff': '1', origin: 'https://evil.example' }, { method: 'PUT' }), 'origin')
})

t.test('what another page sends is refused, whatever else it carries', async (t) => {
  const said = { ...own, 'smart-bff': '1' }
  t.equal(judge({ ...said, 'sec-fetch-site': 'cross-site' }), 'cross_site')
  t.equal(judge({ ...said, 'sec-fetch-site': 'same-site' }), 'cross_site')
  t.equal(judge({ ...said, 'sec-fetch-site': 'none' }), 'cross_site')
  t.equal(judge({ ...said, 'sec-fetch-site': 'same-origin, same-origin' }), 'cross_site')
  t.equal(judge({ 'smart-bff': '1', 'sec-fetch-dest': 'empty' }), 'cross_site', 'partial metadata')
  t.equal(judge({ 'smart-bff': '1', 'sec-fetch-site': 'same-origin' }), 'destination')
  for (const origin of [
    'https://evil.example',
    'null',
    'https://app.hospital.example.evil.example',
  ]) {
    t.equal(judge({ ...own, origin }, { method: 'POST' }), 'origin', origin)
    t.equal(judge({ ...own, origin }), 'origin', `${origin} on a read`)
  }
})

t.test('no answer can become a document, a script, a style or a picture', async (t) => {
  for (const destination of ['script', 'style', 'image', 'worker', 'audio', 'font', 'websocket']) {
    t.equal(judge({ ...own, 'sec-fetch-dest': destination }), 'destination', destination)
  }
  t.equal(judge({ ...own, 'sec-fetch-dest': 'script' }, { allowImage: true }), 'destination')
  t.equal(judge({ ...own, 'sec-fetch-mode': 'websocket' }), 'destination')
  for (const destination of ['document', 'iframe', 'frame', 'embed', 'object']) {
    t.equal(judge({ ...own, 'sec-fetch-dest': destination }), 'navigation', destination)
  }
  t.equal(judge({ ...own, 'sec-fetch-mode': 'navigate' }), 'navigation')
})

t.test('a service worker script is refused', async (t) => {
  t.equal(judge({ ...own, 'service-worker': 'script' }), 'service_worker')
  t.equal(judge({ ...own, 'sec-fetch-dest': 'serviceworker' }), 'service_worker')
  t.equal(judge({ 'smart-bff': '1', 'service-worker': 'script' }), 'service_worker')
})
