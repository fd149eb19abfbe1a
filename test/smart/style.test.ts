import fc from 'fast-check'
import t from 'tap'
import { readStyle } from '../../src/smart/style.ts'

t.test('a style is the values that the specification names, each of its own shape', (t) => {
  const good = {
    color_background: '#edeae3',
    color_error: 'rgb(158, 45, 45)',
    color_highlight: 'rebeccapurple',
    color_modal_backdrop: '#0008',
    color_text: 'hsl(210 50% 20% / 0.9)',
    dim_border_radius: '6px',
    dim_font_size: '0.875rem',
    dim_spacing_size: '0',
    font_family_body: "Georgia, 'Times New Roman', Times, serif",
  }
  t.same(readStyle({ ...good, unknown: '1px', font_family_heading: null }), good)
  t.same(readStyle({ color_text: '  #333 ' }), { color_text: '#333' })
  t.end()
})

t.test('what could be more than one value is dropped', (t) => {
  const bad: readonly [name: string, value: unknown][] = [
    ['color_text', 'url(https://evil.example/x)'],
    ['color_text', 'red; background: url(//evil.example)'],
    ['color_text', 'var(--x)'],
    ['color_text', '#12345'],
    ['color_text', 'rgb(1,2,3)}body{display:none'],
    ['color_text', `rgb(${'1'.repeat(100)})`],
    ['color_text', 7],
    ['dim_font_size', 'calc(100vw)'],
    ['dim_font_size', '99999px'],
    ['dim_font_size', '-1px'],
    ['font_family_body', 'x}</style><script>'],
    ['font_family_body', "'Open Sans"],
    ['font_family_body', `"a'b"`],
    ['font_family_body', 'a'.repeat(301)],
    ['__proto__', '#fff'],
  ]
  for (const [name, value] of bad) {
    t.same(readStyle(JSON.parse(JSON.stringify({ [name]: value })) as Record<string, unknown>), {})
  }
  t.end()
})

t.test('no text at all becomes a second declaration, a call or markup', (t) => {
  const names = ['color_text', 'dim_font_size', 'font_family_body'] as const
  const pieces = fc.array(
    fc.constantFrom(
      '#fff',
      'url',
      '(',
      ')',
      ';',
      '{',
      '}',
      '"',
      "'",
      ',',
      ' ',
      '1px',
      'red',
      '<',
      '\\',
    ),
    { maxLength: 8 },
  )
  fc.assert(
    fc.property(fc.constantFrom(...names), pieces, (name, parts) => {
      const value = readStyle({ [name]: parts.join('') })[name]
      return value === undefined || !/[;{}<>\\]|(?<!rgba?|hsla?)\(/i.test(value)
    }),
    { numRuns: 2000 },
  )
  t.end()
})
