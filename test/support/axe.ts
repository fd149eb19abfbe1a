import { readFileSync } from 'node:fs'
import type { Frame, Page } from 'playwright-core'

const axeSource = readFileSync(
  new URL('../../node_modules/axe-core/axe.min.js', import.meta.url),
  'utf8',
)

/**
 * Runs axe in a document, also under a strict Content-Security-Policy. One line for each violation; empty is good.
 */
export async function axe(target: Page | Frame): Promise<string[]> {
  await target.evaluate(axeSource)
  const found: unknown = await target.evaluate(
    `axe.run(document, { resultTypes: ['violations'] }).then(({ violations }) =>
       violations.map((v) => v.id + ': ' + v.nodes.map((n) => n.target.join(' ') + ' ' + n.failureSummary).join(' | ')))`,
  )
  return Array.isArray(found) ? found.map(String) : ['axe gave no answer']
}
