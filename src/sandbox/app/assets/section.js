import { el } from './dom.js'
import { readingText } from './format.js'

/**
 * One part of the chart: heading, the time its data was read, and one of five faces: loading, content, not available,
 * not permitted, or content that could not be refreshed.
 *
 * `load(signal)` fetches, `show(data)` makes nodes. After each `refresh` the state is 'current', 'stale' or
 * 'unavailable', and the element says so with a `settled` event. It rejects only when the signal was aborted.
 */
export function createSection({ id, title, wide = false, load, show }) {
  const heading = el('h2', { id: `${id}-title`, tabindex: -1 }, title)
  const time = el('p', { class: 'time' })
  const note = el('div', { class: 'note', role: 'status' })
  const body = el('div', { class: 'body' })
  const element = el(
    'section',
    { id, class: wide ? 'card wide' : 'card', 'aria-labelledby': `${id}-title` },
    el('div', { class: 'card-head' }, heading, time),
    note,
    body,
  )
  let readAt = null
  let state = 'loading'
  let run = 0

  async function refresh(signal) {
    const mine = ++run
    state = 'loading'
    element.setAttribute('aria-busy', 'true')
    if (!readAt) body.replaceChildren(skeleton(title))
    try {
      const data = await load(signal)
      if (mine === run) showCurrent(data)
    } catch (error) {
      if (signal.aborted) throw error
      if (mine === run) showFailure(error, signal)
    }
    if (mine !== run) return
    element.removeAttribute('aria-busy')
    element.dispatchEvent(new Event('settled', { bubbles: true }))
  }

  function showCurrent(data) {
    readAt = new Date()
    state = 'current'
    element.classList.remove('stale')
    time.replaceChildren(
      'Read ',
      el('time', { datetime: readAt.toISOString() }, readingText(readAt)),
    )
    note.replaceChildren()
    body.replaceChildren(...[show(data)].flat())
  }

  function showFailure(error, signal) {
    state = readAt ? 'stale' : 'unavailable'
    if (readAt) {
      element.classList.add('stale')
      const text = `Not current. Read at ${readingText(readAt)}; the last refresh failed.`
      note.replaceChildren(el('p', {}, text))
    } else {
      body.replaceChildren(failure(title, error, () => retry(signal)))
    }
  }

  /** The button goes away with its message, so the heading takes the focus. */
  function retry(signal) {
    heading.focus()
    refresh(signal).catch(() => {}) // aborted: the page has ended
  }

  return { element, refresh, state: () => ({ state, readAt }) }
}

/** Says that nothing is known, which is not the same as that there is nothing. */
function failure(title, error, retry) {
  const permitted = error.state !== 'scope_insufficient' && error.state !== 'not_permitted'
  const button = el(
    'button',
    { type: 'button', onclick: retry },
    'Try again',
    el('span', { class: 'unseen' }, `: ${title}`),
  )
  return el(
    'div',
    { class: 'failure' },
    el('p', { class: 'strong' }, `${title}: not available`),
    el('p', {}, error.sentence ?? 'The answer could not be read.'),
    el('p', {}, 'This does not mean that there is nothing in the record.'),
    error.incident ? el('p', { class: 'soft' }, `Incident number ${error.incident}`) : null,
    permitted ? button : null,
  )
}

function skeleton(title) {
  return el(
    'div',
    { class: 'skeleton' },
    el('p', { class: 'unseen' }, `${title}: loading`),
    [80, 62, 71].map((width) => el('span', { class: `bone w${width}` })),
  )
}
