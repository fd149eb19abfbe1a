import type { OwnAnswer } from './judge-keys.ts'

const timeoutMs = 10_000
const bytesMax = 1_048_576

/** Our own public URL as a stranger sees it; undefined when nobody answers. */
export async function askOwn(url: string): Promise<OwnAnswer | undefined> {
  try {
    const answer = await fetch(url, {
      redirect: 'manual',
      signal: AbortSignal.timeout(timeoutMs),
      headers: { 'user-agent': 'smart-bff preflight' },
    })
    const body = (await answer.text()).slice(0, bytesMax)
    return { status: answer.status, body, headers: answer.headers }
  } catch {
    return undefined
  }
}
