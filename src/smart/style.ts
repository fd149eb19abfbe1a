import type { JsonObject } from './json.ts'

/**
 * The EHR's look (SMART App Launch 2.2, styling): the members that the specification names, each held against the
 * shape of its CSS value. Pure. A value that could be anything else (`url(…)`, a second declaration) is dropped.
 */
export type Style = Readonly<Partial<Record<StyleName, string>>>

export type StyleName = keyof typeof shapes

const color =
  /^(#[0-9a-f]{3,4}|#[0-9a-f]{6}|#[0-9a-f]{8}|[a-z]{3,24}|(rgb|hsl)a?\([0-9.,%/ ]{1,60}\))$/i
const length = /^(0|\d{1,4}(\.\d{1,4})?(px|em|rem|ex|ch|pt|pc|%))$/
const fonts = /^[A-Za-z0-9 ,'"_-]{1,300}$/

const shapes = {
  color_background: color,
  color_error: color,
  color_highlight: color,
  color_modal_backdrop: color,
  color_success: color,
  color_text: color,
  dim_border_radius: length,
  dim_font_size: length,
  dim_spacing_size: length,
  font_family_body: fonts,
  font_family_heading: fonts,
} as const satisfies Record<string, RegExp>

export function readStyle(document: JsonObject): Style {
  const usable = Object.entries(shapes).flatMap(([name, shape]) => {
    const value = document[name]
    const text = typeof value === 'string' ? value.trim() : ''
    return shape.test(text) && quotesPaired(text) ? [[name, text]] : []
  })
  return Object.fromEntries(usable)
}

const quotesPaired = (text: string): boolean =>
  text.replaceAll(/'[^'"]*'|"[^'"]*"/g, '').search(/['"]/) === -1
