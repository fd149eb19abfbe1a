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

/** Two instants where the clocks were put back: 02:30 came twice that night. Milliseconds since the epoch. */
export interface Moment {
  readonly earlier: number
  readonly later: number
}

/** What a `datetime-local` field sends; `undefined` when it is no time, or none that a log can hold. */
export function fromZone(text: string, zone: string): Moment | undefined {
  const match = typed.exec(text)
  if (match === null) return undefined
  const [year = 0, month = 1, day = 1, hour = 0, minute = 0, second = 0] = match
    .slice(1)
    .map((part) => Number(part ?? 0))
  if (year < firstYear || year > lastYear) return undefined
  const asUtc = Date.UTC(year, month - 1, day, hour, minute, second)
  // 31 February and 10:75 would be other times.
  if (!new Date(asUtc).toISOString().startsWith(text)) return undefined
  // The offsets on both sides of a change of clocks that may be near.
  const both = [asUtc - dayMs, asUtc + dayMs].map((near) => asUtc - offsetAt(near, zone))
  const real = both.filter((at) => at + offsetAt(at, zone) === asUtc)
  // In spring an hour is left out: a time in it lies between the two.
  const moments = real.length === 0 ? both : real
  return { earlier: Math.min(...moments), later: Math.max(...moments) }
}

/** From the epoch on, and of four digits in every zone. */
const [firstYear, lastYear] = [1970, 9998]
const dayMs = 86_400_000

function offsetAt(at: number, zone: string): number {
  const whole = Math.floor(at / 1000) * 1000
  const text = inZone(whole, zone).slice(0, 19).replace(' ', 'T')
  return Date.parse(`${text}Z`) - whole
}
