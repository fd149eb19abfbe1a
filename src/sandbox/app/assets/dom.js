// Small builders. Text always goes in as text, never as markup: what the EHR sends is shown, not run.

/**
 * Makes an element. `props` are attributes, except `class`, and `on…` for listeners; false, null and undefined are
 * left out, true gives an empty attribute. Children may be nodes, text, arrays of both, or nothing.
 */
export function el(name, props = {}, ...children) {
  return fill(document.createElement(name), props, children)
}

/** The same for SVG. */
export function svg(name, props = {}, ...children) {
  return fill(document.createElementNS('http://www.w3.org/2000/svg', name), props, children)
}

function fill(node, props, children) {
  for (const [key, value] of Object.entries(props)) {
    if (value === false || value === null || value === undefined) continue
    if (key.startsWith('on')) node.addEventListener(key.slice(2), value)
    else node.setAttribute(key, value === true ? '' : String(value))
  }
  node.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined))
  return node
}

/** A short mark beside a name. The text says it all; the colour only helps. */
export const tag = (text, kind = 'plain') => el('span', { class: `tag ${kind}` }, text)
