// Small comforts; every page works without them.
const filter = document.querySelector('[data-filter]')
const rows = [...document.querySelectorAll('[data-text]')]
const count = document.querySelector('[data-count]')
const none = document.querySelector('[data-none]')

const folded = (text) =>
  text
    .normalize('NFD')
    .replace(/\p{Diacritic}/gu, '')
    .toLowerCase()

filter?.addEventListener('input', () => {
  const words = folded(filter.value).split(/\s+/).filter(Boolean)
  for (const row of rows) {
    row.hidden = !words.every((word) => row.dataset.text.includes(word))
  }
  const shown = rows.filter((row) => !row.hidden).length
  if (none) none.hidden = shown > 0
  if (count) count.textContent = `${shown} of ${rows.length} synthetic patients`
})

for (const select of document.querySelectorAll('[data-submit]')) {
  select.form.classList.add('scripted')
  select.addEventListener('change', () => select.form.requestSubmit())
}
