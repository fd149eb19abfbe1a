import type { Watch } from './smart-bff-watch.ts'
import type { SmartBffError } from './smart-bff.ts'

type Action = readonly [label: string, run: () => void]

/** Stands beside the body, styled through the CSSOM: the app's Content-Security-Policy allows no inline style. */
export function createCover(on: Watch['on']) {
  // The app's root says whether the canvas is light or dark; a background of its own keeps the words readable on both.
  const panel = element(
    'main',
    'box-sizing:border-box;min-height:100vh;padding:3em max(1.5em,50% - 17em);background:Canvas;color:CanvasText',
  )
  panel.setAttribute('role', 'alert')
  let title: string | null = null
  // A launch that is gone is of no hospital any more: what it said before is said again.
  let support: string | null = null
  let where = 'from the patient’s chart'
  on('active', (info) => {
    support = info.support
    const { kind } = info.user
    if (kind === 'patient' || kind === 'related_person') where = 'from where you opened it before'
  })
  const follow = (): void => keepInSight(panel, 'paddingTop')
  setInterval(() => title === null || follow(), 1000)

  const show = (sentence: string, action?: Action): void => {
    title ??= document.title
    document.title = ''
    document.body.style.setProperty('display', 'none', 'important')
    panel.replaceChildren(said('h1', sentence))
    if (action) panel.append(button(action))
    document.documentElement.append(panel)
    follow()
  }
  return {
    /** Hides the app and says why. */
    show,
    shown: (): boolean => title !== null,
    /** Takes the app's content out of the document for good, and says what happened. */
    close(error: SmartBffError): void {
      document.body.replaceChildren()
      show(error.sentence)
      panel.append(said('p', `Open the app again, ${where}.`))
      const help = error.support ?? support
      if (help) panel.append(said('p', help))
      if (error.incident) panel.append(said('p', `Incident number ${error.incident}`))
    },
    remove(): void {
      if (title === null) return
      panel.remove()
      document.body.style.removeProperty('display')
      document.title = title
      title = null
    },
  }
}

/** Over the app's foot: how long, and one button. To be shown anew each second. */
export function createWarning(stay: () => void) {
  const panel = element(
    'section',
    'box-sizing:border-box;position:fixed;inset:auto 0 0;z-index:2147483647;display:flex;flex-wrap:wrap;gap:.5em 1.5em;align-items:center;padding:.75em 1.5em;background:#fff3d6;color:#16212b;border-top:2px solid #8a5a00',
  )
  panel.setAttribute('role', 'alertdialog')
  panel.setAttribute('aria-label', 'This page closes soon')
  const text = said('p', '')
  text.style.margin = '0'
  const keep = button(['Keep working', stay])
  keep.style.margin = '0'
  panel.append(text, keep)
  return {
    /** True the first time. */
    show(seconds: number): boolean {
      const left = seconds === 1 ? '1 second' : `${seconds} seconds`
      text.textContent = `Nothing was done here for a while. This page closes in ${left}.`
      keepInSight(panel, 'bottom')
      if (panel.isConnected) return false
      document.documentElement.append(panel)
      return true
    },
    remove: (): void => panel.remove(),
  }
}

/**
 * Where the user looks: an EHR may make the frame as tall as its content and scroll the page around it. An observer is
 * asked anew each time; while only the outer page scrolls, the seen part keeps its size, and one that waits hears nothing.
 */
function keepInSight(panel: HTMLElement, edge: 'paddingTop' | 'bottom'): void {
  new IntersectionObserver((entries, observer) => {
    for (const { intersectionRect } of entries) {
      const { top, bottom } = intersectionRect
      panel.style[edge] = `${edge === 'bottom' ? innerHeight - bottom : top + 48}px`
    }
    observer.disconnect()
  }).observe(document.documentElement)
}

function element(name: string, style: string): HTMLElement {
  const made = document.createElement(name)
  made.style.cssText = `font:medium/1.5 system-ui,sans-serif;${style}`
  return made
}

function said(name: 'h1' | 'p', sentence: string): HTMLElement {
  const made = element(
    name,
    name === 'h1'
      ? 'font-size:1.5em;font-weight:600;line-height:1.3;margin:0'
      : 'margin:1em 0 0;white-space:pre-line',
  )
  made.textContent = sentence
  return made
}

function button([label, run]: Action): HTMLElement {
  const made = element(
    'button',
    'margin:1.25em 0 0;padding:.6em 1.25em;border:0;border-radius:8px;background:#0a5a78;color:#fff;font-weight:600;cursor:pointer',
  )
  made.textContent = label
  made.addEventListener('click', run)
  return made
}
