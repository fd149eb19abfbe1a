import type { Config } from '../config/schema/config.ts'
import { givenOrNot, readMatrix, type Counts, type MatrixView } from '../operations/matrix-view.ts'
import { createStore } from '../store/create.ts'
import type { Output } from './audit-verify.ts'

/** `smart-bff matrix`: what real launches have shown of each tenant and mode; undefined is every tenant. */
export interface MatrixOptions {
  readonly tenant: string | undefined
  readonly json: boolean
}

/** Answers the exit code. Throws STORE_UNAVAILABLE. */
export async function runMatrix(
  config: Config,
  { tenant, json }: MatrixOptions,
  output: Output,
): Promise<number> {
  if ('memory' in config.store) {
    output.write(
      'The store is in the memory of the running server: there is nothing to read here.\n',
    )
    return 1
  }
  const store = createStore(config.store, { now: Date.now, onFault: () => undefined })
  try {
    const views = await readMatrix(store, config, tenant)
    output.write(json ? `${JSON.stringify(views, null, 2)}\n` : matrixText(views))
    return 0
  } finally {
    await store.close()
  }
}

export function matrixText(views: readonly MatrixView[]): string {
  return views.map(viewText).join('\n')
}

function viewText(view: MatrixView): string {
  const { tenant, mode, launches, exchanges, failures } = view
  const head = `${tenant}, ${mode}: ${launches} ${launches === 1 ? 'launch' : 'launches'}, ${failures} that failed`
  if (exchanges === 0) return `${head}\n  no launch has come so far as a token\n`
  const types = Object.entries(view.types).map(
    ([type, { answered, refused, failed }]) =>
      `${type} ${answered} answered${refused > 0 ? `, ${refused} REFUSED` : ''}${failed > 0 ? `, ${failed} failed` : ''}`,
  )
  return [
    `${head}\n`,
    line('context', shares(view.context, exchanges)),
    line('scopes granted', scopeShares(view.granted, exchanges)),
    line('scopes withheld', shares(view.withheld, exchanges)),
    ...(view.added > 0 ? [line('more granted', `in ${view.added} of ${exchanges}`)] : []),
    line('users', shares(view.user, launches)),
    line('refresh token', shares(givenOrNot(view.refresh), launches)),
    line('token lifetime', shares(view.lifetime, launches)),
    line('FHIR', types.length === 0 ? 'nothing was asked' : types.join('; ')),
  ].join('')
}

const line = (name: string, text: string): string => `  ${name.padEnd(17)}${text}\n`

/** A long list in which nothing stands out is said in one word. */
function scopeShares(granted: Counts, of: number): string {
  const counts = Object.values(granted)
  return counts.length > 1 && counts.every((count) => count >= of)
    ? `all ${counts.length} always`
    : shares(granted, of)
}

/** `patient always`, `encounter 3 of 8`. */
function shares(counts: Counts, of: number): string {
  const parts = Object.entries(counts).map(([name, count]) =>
    count >= of ? `${name} always` : `${name} ${count} of ${of}`,
  )
  return parts.length === 0 ? 'none' : parts.join(', ')
}
