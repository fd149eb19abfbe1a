/** What a process remembers of launches is bounded (DESIGN rule 17); the oldest are forgotten first. */
const maxRemembered = 10_000

export function remember<T>(map: Map<string, T>, name: string, value: T): void {
  const oldest = map.size >= maxRemembered ? map.keys().next().value : undefined
  if (oldest !== undefined) map.delete(oldest)
  map.set(name, value)
}
