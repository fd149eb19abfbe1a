/**
 * Copies what stands from one place to another, and at each of the places that are listed, places in the answer, writes the text instead of so many
 * bytes. Answers where the copy ends.
 */
export function splice(
  from: usize,
  to: usize,
  places: usize,
  count: i32,
  cut: i32,
  text: usize,
  textLength: i32,
  target: usize,
): usize {
  let at = from
  let written = target
  const end = places + <usize>(count << 2)
  for (let place = places; place < end; place += 4) {
    const start = __heap_base + load<u32>(place)
    memory.copy(written, at, start - at)
    written += start - at
    memory.copy(written, text, textLength)
    written += textLength
    at = start + cut
  }
  memory.copy(written, at, to - at)
  return written + to - at
}
