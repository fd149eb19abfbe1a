import { connect } from 'node:net'

/** Whether anything listens where the app is launched; an honest page is better than a browser's error in a frame. */
export function reachable(launchUrl: string, timeoutMs = 700): Promise<boolean> {
  const { hostname, port, protocol } = new URL(launchUrl)
  const fallback = protocol === 'https:' ? 443 : 80
  return new Promise((resolve) => {
    const socket = connect({
      host: hostname.replace(/^\[|\]$/g, ''),
      port: port === '' ? fallback : Number(port),
      timeout: timeoutMs,
    })
    const settle = (answer: boolean): void => {
      socket.destroy()
      resolve(answer)
    }
    socket.once('connect', () => settle(true))
    socket.once('error', () => settle(false))
    socket.once('timeout', () => settle(false))
  })
}
