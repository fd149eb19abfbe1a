// Words for dates, ages and quantities. Months are written out, so that no date can be read in two ways.

const locale = 'en-GB'
const dayFormat = new Intl.DateTimeFormat(locale, {
  day: 'numeric',
  month: 'short',
  year: 'numeric',
})
const monthFormat = new Intl.DateTimeFormat(locale, { month: 'short', year: 'numeric' })
const shortDayFormat = new Intl.DateTimeFormat(locale, { day: 'numeric', month: 'short' })
const clockFormat = new Intl.DateTimeFormat(locale, { hour: '2-digit', minute: '2-digit' })
const secondFormat = new Intl.DateTimeFormat(locale, {
  hour: '2-digit',
  minute: '2-digit',
  second: '2-digit',
})

/**
 * Reads a FHIR date, dateTime or instant. A date without a time is a calendar day and is never moved by a time zone.
 * Returns `{ date, precision: 'year' | 'month' | 'day' | 'time' }`, or null.
 */
export function readDate(value) {
  const match = /^(\d{4})(?:-(\d\d)(?:-(\d\d)(T.+)?)?)?$/.exec(value ?? '')
  if (!match) return null
  const [, year, month, day, time] = match
  if (time) {
    const date = new Date(value)
    return Number.isNaN(date.getTime()) ? null : { date, precision: 'time' }
  }
  const date = new Date(Number(year), Number(month ?? 1) - 1, Number(day ?? 1))
  return { date, precision: day ? 'day' : month ? 'month' : 'year' }
}

/** `12 Mar 1958`, `Mar 1958` or `1958`, as precise as it was recorded. */
export function dayText(value) {
  const read = readDate(value)
  if (!read) return null
  if (read.precision === 'year') return String(read.date.getFullYear())
  return (read.precision === 'month' ? monthFormat : dayFormat).format(read.date)
}

/** `12 Mar 1958, 14:05`, or only the day where no time was recorded. */
export function timeText(value) {
  const read = readDate(value)
  if (read?.precision !== 'time') return dayText(value)
  return `${dayFormat.format(read.date)}, ${clockFormat.format(read.date)}`
}

/** When something was read from the EHR: `14:05:09`, with the day when it is not today. */
export function readingText(date) {
  const clock = secondFormat.format(date)
  return date.toDateString() === new Date().toDateString()
    ? clock
    : `${dayFormat.format(date)}, ${clock}`
}

/** A label for a time axis, as fine as its step needs. */
export function axisText(date, stepMs) {
  const day = 86_400_000
  if (stepMs >= 27 * day) return monthFormat.format(date)
  return (stepMs >= day ? shortDayFormat : clockFormat).format(date)
}

/** `67 years`, `14 months`, `5 days`; `about` where the birth date is not a whole date. */
export function ageText(birthDate, now = new Date()) {
  const birth = readDate(birthDate)
  if (!birth || birth.date > now) return null
  const { date, precision } = birth
  let months = (now.getFullYear() - date.getFullYear()) * 12 + now.getMonth() - date.getMonth()
  if (precision === 'year') return `about ${now.getFullYear() - date.getFullYear()} years`
  if (precision === 'month') return `about ${span(months, 0)}`
  if (now.getDate() < date.getDate()) months -= 1
  return span(months, Math.floor((now - date) / 86_400_000))
}

function span(months, days) {
  if (months >= 24) return `${Math.floor(months / 12)} years`
  if (months >= 1) return months === 1 ? '1 month' : `${months} months`
  return days === 1 ? '1 day' : `${days} days`
}

/** A FHIR Quantity as it was recorded: value, comparator, unit. No rounding and no conversion. */
export function quantityText(quantity) {
  if (quantity?.value === undefined) return null
  const unit = unitText(quantity)
  const space = unit && unit !== '%' ? '\u00a0' : ''
  return `${quantity.comparator ?? ''}${quantity.value}${space}${unit}`
}

const units = { 'mm[Hg]': 'mmHg', '/min': '/min', Cel: '°C', '[degF]': '°F', '[lb_av]': 'lb' }

export function unitText(quantity) {
  const unit = quantity?.unit ?? quantity?.code ?? ''
  return units[unit] ?? unit
}

/** A HumanName as banners write it: family name first. */
export function nameText(name) {
  const given = (name?.given ?? []).join(' ')
  if (name?.family) return given ? `${name.family}, ${given}` : name.family
  return name?.text || given || null
}

/** The name in use now: official before usual before any other; old names last. */
export function currentName(names = []) {
  const order = ['official', 'usual', undefined, 'temp', 'nickname', 'anonymous', 'maiden', 'old']
  const rank = (name) => order.indexOf(name.use) + (past(name) ? order.length : 0)
  return names.toSorted((a, b) => rank(a) - rank(b))[0]
}

const past = ({ period }) => period?.end && readDate(period.end)?.date < new Date()
