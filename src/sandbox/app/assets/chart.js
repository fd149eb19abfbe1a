import { el, svg } from './dom.js'
import { axisText } from './format.js'

const height = 230
const margin = { top: 26, right: 14, bottom: 30, left: 44 }

/**
 * A line chart. `points` are in the order of time: `{ time, values: [number | null], text, when }`, one value for each
 * series. One point is always the chosen one: by pointer, or by the arrow keys as in a slider, which is what it is to a
 * screen reader. Series differ in the form of their points too, not only in colour.
 */
export function createChart({ title, unit, series, points }) {
  const readout = el('p', { class: 'readout', 'aria-hidden': 'true' })
  const plot = el('div', {
    class: 'plot',
    tabindex: 0,
    role: 'slider',
    'aria-label': `${title}, ${points.length} readings over time`,
    'aria-valuemin': 1,
    'aria-valuemax': points.length,
  })
  let drawing = null
  let chosen = points.length - 1

  const choose = (index) => {
    chosen = Math.max(0, Math.min(points.length - 1, index))
    const { text, when } = points[chosen]
    readout.replaceChildren(el('span', { class: 'strong' }, text), ` · ${when}`)
    plot.setAttribute('aria-valuenow', chosen + 1)
    plot.setAttribute('aria-valuetext', `${text}, ${when}`)
    drawing?.mark(chosen)
  }

  plot.addEventListener('keydown', (event) => {
    const steps = {
      ArrowLeft: -1,
      ArrowDown: -1,
      ArrowRight: 1,
      ArrowUp: 1,
      PageUp: 10,
      PageDown: -10,
    }
    const to = { Home: 0, End: points.length - 1 }[event.key] ?? chosen + (steps[event.key] ?? NaN)
    if (Number.isNaN(to)) return
    event.preventDefault()
    choose(to)
  })
  plot.addEventListener('pointermove', (event) => {
    const x = event.clientX - plot.getBoundingClientRect().left
    if (drawing) choose(drawing.nearest(x))
  })
  plot.addEventListener('pointerleave', () => choose(points.length - 1))

  // Drawn in real pixels, so that the text keeps its size in a sidebar and on a full page.
  new ResizeObserver(([entry]) => {
    const width = Math.floor(entry.contentRect.width)
    if (width === 0) return
    drawing = draw({ unit, series, points, width })
    plot.replaceChildren(drawing.element)
    drawing.mark(chosen)
  }).observe(plot)

  choose(chosen)
  return el('figure', {}, el('div', { class: 'figure-head' }, readout, legend(series)), plot)
}

function legend(series) {
  if (series.length < 2) return null
  return el(
    'p',
    { class: 'legend', 'aria-hidden': 'true' },
    series.map((name, at) =>
      el('span', {}, svg('svg', { width: 14, height: 14, viewBox: '-7 -7 14 14' }, dot(at)), name),
    ),
  )
}

const dot = (at, x = 0, y = 0) =>
  at === 0
    ? svg('circle', { class: 'dot s0', cx: x, cy: y, r: 3.5 })
    : svg('rect', { class: `dot s${at}`, x: x - 3.5, y: y - 3.5, width: 7, height: 7 })

function draw({ unit, series, points, width }) {
  const times = timeDomain(points)
  const values = ticks(points.flatMap((point) => point.values.filter((value) => value !== null)))
  const x = (time) => scale(time, times, [margin.left, width - margin.right])
  const y = (value) =>
    scale(value, [values[0], values.at(-1)], [height - margin.bottom, margin.top])
  const cursor = svg('line', { class: 'cursor', y1: margin.top, y2: height - margin.bottom })
  const marks = svg('g')

  const element = svg(
    'svg',
    { width, height, viewBox: `0 0 ${width} ${height}`, 'aria-hidden': 'true' },
    values.map((value) => yTick(value, y(value), width)),
    svg('text', { class: 'axis', x: 2, y: 11 }, unit),
    xTicks(times, width).map(([label, time, anchor]) =>
      svg('text', { class: 'axis', x: x(time), y: height - 8, 'text-anchor': anchor }, label),
    ),
    cursor,
    series.map((_, at) => line(points, at, x, y)),
    marks,
  )
  return {
    element,
    mark(index) {
      const at = x(points[index].time)
      cursor.setAttribute('x1', at)
      cursor.setAttribute('x2', at)
      marks.replaceChildren(
        ...points[index].values.flatMap((value) =>
          value === null ? [] : [svg('circle', { class: 'halo', cx: at, cy: y(value), r: 8 })],
        ),
      )
    },
    nearest(px) {
      const distances = points.map((point) => Math.abs(x(point.time) - px))
      return distances.indexOf(Math.min(...distances))
    },
  }
}

function line(points, at, x, y) {
  const shown = points.filter(
    (point) => point.values[at] !== null && point.values[at] !== undefined,
  )
  const path = shown.map((point) => `${x(point.time).toFixed(1)} ${y(point.values[at]).toFixed(1)}`)
  const dots = shown.length > 60 ? shown.slice(-1) : shown
  return svg(
    'g',
    {},
    path.length > 1 ? svg('path', { class: `line s${at}`, d: `M${path.join('L')}` }) : null,
    dots.map((point) => dot(at, x(point.time), y(point.values[at]))),
  )
}

function yTick(value, at, width) {
  return svg(
    'g',
    {},
    svg('line', { class: 'grid', x1: margin.left, x2: width - margin.right, y1: at, y2: at }),
    svg(
      'text',
      { class: 'axis', x: margin.left - 8, y: at + 4, 'text-anchor': 'end' },
      String(value),
    ),
  )
}

/** One reading has no span of time: it stands in the middle of two days. */
function timeDomain(points) {
  const [from, to] = [points[0].time, points.at(-1).time]
  return from === to ? [from - 86_400_000, to + 86_400_000] : [from, to]
}

function xTicks([from, to], width) {
  const count = Math.max(2, Math.min(7, Math.floor(width / 130)))
  const step = (to - from) / (count - 1)
  const all = Array.from({ length: count }, (_, at) => [
    axisText(new Date(from + at * step), step),
    from + at * step,
    at === 0 ? 'start' : at === count - 1 ? 'end' : 'middle',
  ])
  return all.filter(([label], at) => label !== all[at - 1]?.[0])
}

/** Four to seven round values that enclose all others. The axis does not begin at zero. */
export function ticks(values) {
  const [low, high] = [Math.min(...values), Math.max(...values)]
  const span = high - low || Math.abs(high) * 0.1 || 1
  const rough = span / 4
  const power = 10 ** Math.floor(Math.log10(rough))
  const step = [1, 2, 5, 10].map((factor) => factor * power).find((each) => each >= rough) ?? rough
  const first = Math.floor(low / step)
  const last = Math.max(Math.ceil(high / step), first + 1)
  const digits = Math.max(0, -Math.floor(Math.log10(step)))
  return Array.from({ length: last - first + 1 }, (_, at) =>
    Number(((first + at) * step).toFixed(digits)),
  )
}

const scale = (value, [from, to], [start, end]) =>
  start + ((value - from) / (to - from)) * (end - start)
