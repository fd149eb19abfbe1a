import type { IncomingMessage, ServerResponse } from 'node:http'
import t from 'tap'
import { openBrowser } from '../support/chromium.ts'
import { startServer } from '../support/http.ts'

/** The harness itself: what the browser tests rest on when they say that third-party cookies are blocked. */

const attributes = 'Path=/; Secure; HttpOnly; SameSite=None'

function answer(request: IncomingMessage, response: ServerResponse): void {
  response.setHeader('Content-Type', 'text/html')
  if (request.url === '/echo') {
    response.end(request.headers.cookie ?? '')
    return
  }
  response.setHeader('Set-Cookie', [
    `__Host-plain=1; ${attributes}`,
    `__Host-part=1; ${attributes}; Partitioned`,
  ])
  response.end('<!doctype html><p>framed')
}

for (const blockThirdPartyCookies of [true, false]) {
  const title = blockThirdPartyCookies
    ? 'blocked: only a Partitioned cookie lives in a cross-site frame'
    : 'not blocked: both live'
  t.test(title, async (t) => {
    const app = await startServer(answer, 'localhost')
    const ehr = await startServer((_request, response) => {
      response.setHeader('Content-Type', 'text/html')
      response.end(`<!doctype html><iframe src="http://localhost:${app.port}/"></iframe>`)
    })
    const browser = await openBrowser({ blockThirdPartyCookies })
    t.teardown(async () => {
      await browser.close()
      await app.close()
      await ehr.close()
    })
    const page = await browser.context.newPage()
    await page.goto(`http://127.0.0.1:${ehr.port}/`)
    const frame = page.frames()[1]
    const echo = await frame?.evaluate('fetch("/echo").then((answer) => answer.text())')
    const kept = String(echo).split('; ').toSorted()
    t.same(kept, blockThirdPartyCookies ? ['__Host-part=1'] : ['__Host-part=1', '__Host-plain=1'])
  })
}
