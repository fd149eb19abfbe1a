/** Asks again and again until the answer is the wanted one; the last answer stands in the error when it never is. */
export async function until<T>(
  ask: () => T | Promise<T>,
  isWanted: (answer: T) => boolean,
  limitMs = 20_000,
): Promise<T> {
  const deadline = performance.now() + limitMs
  for (;;) {
    // oxlint-disable-next-line no-await-in-loop -- one look after the other is the point
    const answer = await ask()
    if (isWanted(answer)) return answer
    if (performance.now() > deadline) throw new Error(`never came: ${String(answer).slice(-2000)}`)
    // oxlint-disable-next-line no-await-in-loop -- see above
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
}
