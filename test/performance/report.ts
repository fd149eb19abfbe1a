/** What every proxy process of the bench tells when it is asked: CPU time used and memory, so far. */
export interface Usage {
  readonly cpuMicroseconds: number
  readonly rssBytes: number
  readonly peakRssBytes: number
}

export function answerUsage(): void {
  process.on('message', () => {
    const { user, system } = process.cpuUsage()
    process.send?.({
      cpuMicroseconds: user + system,
      rssBytes: process.memoryUsage.rss(),
      peakRssBytes: process.resourceUsage().maxRSS * 1024,
    } satisfies Usage)
  })
}
