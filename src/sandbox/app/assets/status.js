import { el } from './dom.js'
import { readingText } from './format.js'

/** When the data was read, whether it is current, and the button that reads it again. */
export function createStatus(refresh) {
  const button = el('button', { type: 'button', class: 'refresh', onclick: refresh }, 'Refresh')
  const text = el('p', { class: 'soft', role: 'status' })
  const alarm = el('div', { role: 'alert' })
  let lastWhole = null

  return {
    element: el(
      'div',
      { class: 'status' },
      alarm,
      el('div', { class: 'status-line' }, text, button),
    ),
    busy() {
      button.disabled = true
      text.textContent = 'Reading from the EHR…'
    },
    show(parts) {
      button.disabled = false
      const some = (wanted) => parts.some(({ state }) => state === wanted)
      const stale = some('stale')
      if (!stale && !some('unavailable')) {
        lastWhole = new Date(Math.min(...parts.map(({ readAt }) => readAt)))
      }
      text.textContent = some('unavailable')
        ? 'Some parts are not available.'
        : stale
          ? 'The last refresh failed.'
          : `All read from the EHR at ${readingText(lastWhole)}.`
      const since = lastWhole ? ` Everything was current at ${readingText(lastWhole)}.` : ''
      const warning = `The parts marked “Not current” could not be refreshed.${since} Look in the EHR before you act.`
      alarm.replaceChildren(
        ...(stale
          ? [
              el(
                'div',
                { class: 'alarm' },
                el('p', { class: 'strong' }, 'This is not this patient’s current data.'),
                el('p', {}, warning),
              ),
            ]
          : []),
      )
    },
  }
}
