import { monitorEventLoopDelay } from 'node:perf_hooks'

/**
 * What every process of the bench tells when it is asked: CPU time used and memory, so far, and, once it was told to
 * `watch`, for how long the event loop stood still at most since the last question. `--import` this.
 */
const resolutionMs = 1
let delay
process.on('message', (message) => {
  // A timer a millisecond: not beside a measurement of CPU.
  if (message === 'watch') {
    delay = monitorEventLoopDelay({ resolution: resolutionMs })
    delay.enable()
  }
  if (message !== 'usage') return
  const { user, system } = process.cpuUsage()
  process.send?.({
    cpuMicroseconds: user + system,
    rssBytes: process.memoryUsage.rss(),
    peakRssBytes: process.resourceUsage().maxRSS * 1024,
    // Node measures from one firing of its timer to the next, so an idle loop stands still for one interval.
    blockedMs: delay === undefined ? 0 : Math.max(0, delay.max / 1e6 - resolutionMs),
  })
  delay?.reset()
})
// The bench ended without a farewell.
process.on('disconnect', () => process.exit(0))
