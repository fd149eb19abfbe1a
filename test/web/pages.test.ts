import t from 'tap'
import { type ErrorCode, errorTable } from '../../src/errors.ts'
import { createPages } from '../../src/web/pages.ts'
import { axe } from '../support/axe.ts'
import { openBrowser } from '../support/chromium.ts'

const pages = createPages()
const codes = Object.keys(errorTable).filter((code): code is ErrorCode => code in errorTable)
const tenant = { name: 'North Hospital', support: 'Call the service desk, 4400.' }
const nonce = 'c2FtcGxlLW5vbmNl'
const hostile = `"'><script>alert(1)</script><img src=x onerror=alert(1)>&amp;<%= 7 %>`
const href = (retryUrl: string) =>
  /href="([^"]*)"/.exec(
    pages.renderState({ code: 'EHR_TIMEOUT', incident: 'i', nonce, retryUrl }),
  )?.[1]
const unescaped = /<script|<img|"'>|<%/i

t.test(
  'every code has a page with its sentence, the next step and the incident number',
  async (t) => {
    for (const code of codes) {
      const html = pages.renderState({ code, incident: 'i-4711', nonce, tenant })
      t.ok(html.includes(errorTable[code].sentence), code)
      t.match(html, /<h2 id="next">What to do now<\/h2>\s*<p>[A-Z]/)
      t.match(html, /Incident number <code>i-4711<\/code>/)
      t.match(html, /Help at North Hospital/)
      t.match(html, /Call the service desk, 4400\./)
      t.match(html, `<style nonce="${nonce}">`)
    }
  },
)

/** What says something to the staff of a hospital alone. */
const clinicians = /\bEHR\b|\bcharts?\b|service desk|your work|a patient|the patient|No patient/i

t.test('a patient is told in words for a patient', async (t) => {
  for (const code of codes) {
    for (const shown of [tenantOf('Call 4400.'), tenantOf(undefined), undefined]) {
      const page = { code, incident: 'i', nonce, tenant: shown }
      const html = pages.renderState({ ...page, reader: 'patient' })
      t.notMatch(bodyOf(html), clinicians, code)
      t.match(html, /<h2 id="next">What to do now<\/h2>\s*<p>[A-Z]/)
      t.equal(createPages('patient').renderState(page), html, 'also where all modes are theirs')
    }
  }
  for (const launchUrl of ['/launch?x', undefined]) {
    const page = { launchUrl, incident: 'i', nonce, tenant: tenantOf(undefined) }
    const html = pages.renderCookieNotKept({ ...page, reader: 'patient' })
    t.notMatch(bodyOf(html), clinicians)
    t.not(pages.renderCookieNotKept(page), html)
  }
  t.notMatch(bodyOf(createPages('patient').renderHome({ nonce })), clinicians)
})

const tenantOf = (support: string | undefined) => ({ name: 'North Hospital', support })
const bodyOf = (html: string): string => html.slice(html.indexOf('<body'))

t.test('the states have different titles', async (t) => {
  const titles = new Map<string, string>()
  for (const state of new Set(codes.map((code) => errorTable[code].state))) {
    const code = codes.findLast((each) => errorTable[each].state === state)
    const html = code ? pages.renderState({ code, incident: 'i', nonce }) : ''
    titles.set(state, /<h1>([^<]+)<\/h1>/.exec(html)?.[1] ?? '')
  }
  t.notOk([...titles.values()].includes(''))
  t.equal(new Set(titles.values()).size, titles.size)
})

t.test('without a tenant a page holds text only', async (t) => {
  const html = pages.renderState({ code: 'LAUNCH_ISS_UNKNOWN', incident: 'i', nonce })
  t.notMatch(html, /Help at|href|src=|<script|<form/)
})

t.test('a tenant without a support text still names a way', async (t) => {
  const html = pages.renderState({
    code: 'INTERNAL',
    incident: 'i',
    nonce,
    tenant: { name: 'North' },
  })
  t.match(html, /Call your service desk\./)
})

t.test('hostile values are shown as text', async (t) => {
  const page = { incident: hostile, nonce: hostile, tenant: { name: hostile, support: hostile } }
  const state = pages.renderState({ code: 'INTERNAL', retryUrl: `/app/${hostile}`, ...page })
  t.notMatch(state, unescaped)
  t.notMatch(pages.renderCookieNotKept({ launchUrl: `/launch?iss=${hostile}`, ...page }), unescaped)
  t.notMatch(pages.renderHome({ nonce: hostile }), unescaped)
})

t.test('only a path of ours becomes a link', async (t) => {
  t.equal(href('/app/x/?a=1&b=2'), '/app/x/?a=1&amp;b=2')
  const elsewhere = [
    'javascript:alert(1)',
    'https://evil.example/',
    '//evil.example',
    '/\\evil',
    '',
  ]
  for (const url of [...elsewhere, 'app/x', '/a b', '/a\nb', '/a\\b']) t.equal(href(url), undefined)
})

t.test('the cookie page opens the same launch in a new window', async (t) => {
  const launchUrl = '/launch?iss=https%3A%2F%2Fehr.example&launch=abc'
  const html = pages.renderCookieNotKept({ launchUrl, incident: 'i-1', nonce, tenant })
  t.match(html, 'href="/launch?iss=https%3A%2F%2Fehr.example&amp;launch=abc"')
  t.match(html, 'target="_blank" rel="noopener noreferrer"')
})

t.test('every page is accessible and fits a sidebar, light and dark', async (t) => {
  const viewport = { width: 400, height: 600 }
  const browser = await openBrowser({ blockThirdPartyCookies: true, viewport })
  t.teardown(() => browser.close())
  const wide = 'k'.repeat(120)
  const all = new Map([
    ['home', pages.renderHome({ nonce })],
    [
      'cookie',
      pages.renderCookieNotKept({ launchUrl: '/launch?x', incident: wide, nonce, tenant }),
    ],
  ])
  for (const code of codes) {
    const retryUrl = code.startsWith('EHR') ? '/app/x/' : undefined
    // The heading, the drawing and the steps follow the title, so one page of each is enough.
    const html = pages.renderState({ code, incident: wide, nonce, tenant, retryUrl })
    all.set(/<title>([^<]*)/.exec(html)?.[1] ?? code, html)
  }
  for (const colorScheme of ['light', 'dark'] as const) {
    const tab = await browser.context.newPage()
    await tab.emulateMedia({ colorScheme })
    for (const [name, html] of all) {
      // The pages with a button use every colour.
      if (colorScheme === 'dark' && !html.includes('class="button"')) continue
      await tab.setContent(html)
      t.strictSame(await axe(tab), [], `${name}, ${colorScheme}`)
      t.ok(await tab.evaluate('document.documentElement.scrollWidth <= 400'), `${name} fits`)
    }
    await tab.close()
  }
})
