import type { TallyRow } from './tally.ts'

/** What users saw, as a Markdown table. */
export function showDay(rows: readonly TallyRow[]): string {
  const lines = rows.map(({ phase, requests, troubles }) => {
    const seen = Object.entries(troubles).map(([what, count]) => `${count} × ${what}`)
    return `| ${phase} | ${requests} | ${seen.join('; ') || 'nothing'} |`
  })
  return [
    '| phase | requests | what users saw besides success |',
    '| --- | ---: | --- |',
    ...lines,
    '',
  ].join('\n')
}
