/** Times as the staff type and read them: in a zone that is always shown. */
export function isZone(zone: string): boolean {
  try {
    const { timeZone } = Intl.DateTimeFormat('en', { timeZone: zone }).resolvedOptions()
    return timeZone !== '' && /^[A-Za-z0-9_+/-]{1,64}$/.test(zone)
  } catch {
    return false
  }
}

export const localZone = (): string => Intl.DateTimeFormat().resolvedOptions().timeZone

/** `2026-03-01 10:14:05.123`. */
export function inZone(at: number, zone: string): string {
  const parts = new Intl.DateTimeFormat('sv-SE', {
    timeZone: zone,
    dateStyle: 'short',
    timeStyle: 'medium',
  }).format(at)
  return `${parts}.${String(at % 1000).padStart(3, '0')}`
}

const typed = /^(\d{4})-(\d{2})-(\d{2})(?:T(\d{2}):(\d{2})(?::(\d{2}))?)?$/

/** What a `datetime-local` field sends, as milliseconds since the epoch; `undefined` when it is no time. */
export function fromZone(text: string, zone: string): number | undefined {
  const match = typed.exec(text)
  if (match === null) return undefined
  const [year = 0, month = 1, day = 1, hour = 0, minute = 0, second = 0] = match
    .slice(1)
    .map((part) => Number(part ?? 0))
  const asUtc = Date.UTC(year, month - 1, day, hour, minute, second)
  // 31 February and 10:75 would be other times.
  if (!new Date(asUtc).toISOString().startsWith(text)) return undefined
  // Twice, because the offset at the first guess may be the one of the other side of a change of clocks.
  const guess = asUtc - offsetAt(asUtc, zone)
  return asUtc - offsetAt(guess, zone)
}

function offsetAt(at: number, zone: string): number {
  const whole = Math.floor(at / 1000) * 1000
  const text = inZone(whole, zone).slice(0, 19).replace(' ', 'T')
  return Date.parse(`${text}Z`) - whole
}
