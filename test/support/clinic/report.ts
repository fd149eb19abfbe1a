import type { Day } from './day.ts'

/** How the day went, and what users saw of it, as a Markdown table. */
export function showDay({ minutes, leastLive, counted, requests, phases }: Day): string {
  const lines = phases.map((row) => {
    const felt = Object.entries(row.felt ?? {}).map(([what, seen]) => `${what}: ${seen}`)
    const seen = Object.entries(row.troubles).map(([what, count]) => `${count} × ${what}`)
    const cells = [
      row.phase,
      row.seconds,
      row.leastLive,
      row.requests,
      felt.join('; '),
      seen.join('; ') || 'nothing',
    ]
    return `| ${cells.join(' | ')} |`
  })
  return [
    `${minutes} minutes of work with everybody there, ${requests} requests, never fewer than ${leastLive} live launches;`,
    `smart-bff counted ${counted.before.join(' and ')} before the first fault, ${counted.end.join(' and ')} at the end.`,
    '',
    '| phase | seconds | least live | requests | what showed that it happened | what users saw besides success |',
    '| --- | ---: | ---: | ---: | --- | --- |',
    ...lines,
    '',
  ].join('\n')
}
