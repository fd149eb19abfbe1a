import { monitorEventLoopDelay } from 'node:perf_hooks'

/** What every process of the bench tells when it is asked: CPU time used and memory, so far. `--import` this. */
const delay = monitorEventLoopDelay({ resolution: 5 })
delay.enable()
process.on('message', (message) => {
  if (message !== 'usage') return
  const { user, system } = process.cpuUsage()
  process.send?.({
    cpuMicroseconds: user + system,
    rssBytes: process.memoryUsage.rss(),
    peakRssBytes: process.resourceUsage().maxRSS * 1024,
    // The longest that the event loop stood still since the last question.
    blockedMs: delay.max / 1e6,
  })
  delay.reset()
})
// The bench ended without a farewell.
process.on('disconnect', () => process.exit(0))
