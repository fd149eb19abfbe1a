import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import MarkdownIt from 'markdown-it'

/**
 * `docs/*.md` as pages: what IT, support and auditors look up stands where they work. Raw HTML of a document stays
 * text, and only addresses of ours and of the web become links.
 */
export interface Docs {
  readonly list: readonly DocTitle[]
  page(name: string): DocPage | undefined
  /** `chart.png`: bytes of a picture that stands in `docs/pictures`. */
  picture(name: string): Buffer | undefined
}

export interface DocTitle {
  readonly name: string
  readonly title: string
  /** The first paragraph, as text. */
  readonly summary: string
}

export interface DocPage extends DocTitle {
  readonly html: string
  readonly contents: readonly { readonly id: string; readonly text: string }[]
}

export function createDocs(folder = fileURLToPath(new URL('../../docs/', import.meta.url))): Docs {
  const names = namesIn(folder, /^[a-z0-9][a-z0-9-]{0,63}\.md$/)
  const pictures = new Set(namesIn(join(folder, 'pictures'), /^[a-z0-9][a-z0-9-]{0,63}\.png$/))
  const sources = new Map(
    names.map((name) => [name.slice(0, -3), readFileSync(join(folder, name), 'utf8')]),
  )
  const rendered = new Map<string, DocPage>()
  return {
    list: inOrder(folder, [...sources]).map(([name, source]) => titleOf(name, source)),
    page(name) {
      const source = sources.get(name)
      if (source === undefined) return undefined
      const page = rendered.get(name) ?? render(name, source)
      rendered.set(name, page)
      return page
    },
    picture: (name) =>
      pictures.has(name) ? readFileSync(join(folder, 'pictures', name)) : undefined,
  }
}

const namesIn = (folder: string, form: RegExp): readonly string[] =>
  existsSync(folder)
    ? readdirSync(folder)
        .filter((name) => form.test(name))
        .toSorted()
    : []

/** As the index of the documents has them; what it does not name comes last. */
function inOrder(folder: string, sources: readonly (readonly [name: string, source: string])[]) {
  const index = join(folder, 'README.md')
  const named = existsSync(index)
    ? [...readFileSync(index, 'utf8').matchAll(/\]\(([a-z0-9-]+)\.md\)/g)].map(([, name]) => name)
    : []
  const place = ([name]: readonly [string, string]): number =>
    named.includes(name) ? named.indexOf(name) : named.length
  return sources.toSorted((one, other) => place(one) - place(other))
}

/** A heading `# …` is the page's own, so the text goes without it. */
const heading = /^#[ \t]+(?<title>[^\n]+)\n/m

function titleOf(name: string, source: string): DocTitle {
  const title = plain(heading.exec(source)?.groups?.['title'] ?? name)
  const [first = ''] = source
    .replace(heading, '')
    .split(/\n{2,}/)
    .map((part) => part.trim())
    .filter((part) => /^[A-Za-z`*[]/.test(part))
  return { name, title, summary: plain(first.replaceAll('\n', ' ')) }
}

/** Without the marks of Markdown: a link is its text. */
const plain = (text: string): string =>
  text.replaceAll(/\[([^\]]*)\]\([^)]*\)/g, '$1').replaceAll(/[`*]/g, '')

function render(name: string, source: string): DocPage {
  const contents: { id: string; text: string }[] = []
  const html = createMarkdown(contents).render(source.replace(heading, ''))
  return { ...titleOf(name, source), html, contents }
}

/** A document's own Markdown, as this site's policy and its readers need it. */
export function createMarkdown(contents: { id: string; text: string }[] = []) {
  const markdown = new MarkdownIt({ html: false, linkify: false, typographer: false })
  const { rules } = markdown.renderer
  const ids = new Set<string>()
  let tables = 0

  rules['heading_open'] = (tokens, index, options, _env, self) => {
    const token = tokens[index]
    const text = plain(tokens[index + 1]?.content ?? '')
    const id = unused(ids, slugOf(text))
    token?.attrSet('id', id)
    if (token?.tag === 'h2') contents.push({ id, text })
    return self.renderToken(tokens, index, options)
  }
  // A link that leads nowhere here is its text; links do not stand in each other.
  let leads = false
  rules['link_open'] = (tokens, index, options, _env, self) => {
    const token = tokens[index]
    const address = addressOf(String(token?.attrGet('href') ?? ''))
    leads = address !== undefined
    if (address === undefined) return ''
    token?.attrSet('href', address)
    return self.renderToken(tokens, index, options)
  }
  rules['link_close'] = () => (leads ? '</a>' : '')
  rules['image'] = (tokens, index) => {
    const token = tokens[index]
    const file = /^(?:docs\/)?pictures\/([a-z0-9-]+\.png)$/.exec(
      String(token?.attrGet('src') ?? ''),
    )?.[1]
    const words = markdown.utils.escapeHtml(token?.content ?? '')
    return file === undefined ? words : `<img src="/docs/pictures/${file}" alt="${words}" />`
  }
  // Wide ones scroll by themselves, also by keyboard. An inline style would break the policy.
  rules['table_open'] = () => {
    tables += 1
    return `<div class="scroll" role="region" aria-label="Table ${String(tables)}" tabindex="0"><table>\n`
  }
  rules['table_close'] = () => '</table></div>\n'
  for (const name of ['th_open', 'td_open']) {
    rules[name] = (tokens, index) => {
      const { tag = 'td', attrs } = tokens[index] ?? {}
      const right = attrs?.some(([, value]) => String(value).includes('right')) === true
      const scope = tag === 'th' ? ' scope="col"' : ''
      return `<${tag}${scope}${right ? ' class="number"' : ''}>`
    }
  }
  rules['fence'] = (tokens, index) => {
    const code = markdown.utils.escapeHtml(tokens[index]?.content ?? '')
    return `<pre tabindex="0"><code>${code}</code></pre>\n`
  }
  return markdown
}

/** As GitHub does it, so that one address works in both places. */
const slugOf = (text: string): string =>
  text
    .toLowerCase()
    .replaceAll(/[^\p{L}\p{N} _-]/gu, '')
    .replaceAll(' ', '-')

function unused(ids: Set<string>, id: string): string {
  let free = id
  for (let count = 1; ids.has(free); count += 1) free = `${id}-${String(count)}`
  ids.add(free)
  return free
}

/** `smart-conformance.md#x` is a page here; what else is relative is a file of the source. */
function addressOf(href: string): string | undefined {
  if (/^(?:https?:|#)/.test(href)) return href
  const page = /^(?:\.\/|docs\/)?([a-z0-9-]+)\.md(#[\p{L}\p{N}_-]+)?$/u.exec(decodeURI(href))
  return page === null ? undefined : `/docs/${page[1] ?? ''}${page[2] ?? ''}`
}
