import { readFile, readdir, rename, stat, unlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { isMissing } from '../checkpoints.ts'
import { prepareFolder } from '../folder.ts'

/**
 * What waits for the repository, one sealed file a batch, in the order of their numbers. A spool names patients, so its
 * text is sealed as tokens are (DESIGN rule 10). Bounded: a batch that finds no room is refused, and told.
 */
export interface Spool {
  /** `false`: there is no room. On the disk when it resolves. */
  put(batch: string): Promise<boolean>
  /** The oldest batch; undefined when none waits. One that does not open is set aside and told. */
  oldest(): Promise<Spooled | undefined>
  remove(batch: Spooled): Promise<void>
  /** The repository will never take it: kept for a person, as `….rejected`, within the same bound. */
  reject(text: string): Promise<boolean>
  waiting(): number
}

export interface Spooled {
  readonly name: string
  readonly text: string
}

/** Of the key ring: `name` is part of what is sealed, so that no batch can be put in another's place. */
export interface SpoolSeal {
  seal(name: string, text: string): string
  /** Undefined where it does not open. */
  open(name: string, box: string): string | undefined
}

export interface SpoolOptions {
  readonly directory: string
  readonly instance: string
  readonly maxBytes: number
  readonly seal: SpoolSeal
  readonly onUnreadable: () => void
}

const fileMode = 0o600

export async function openSpool(options: SpoolOptions): Promise<Spool> {
  const { directory, instance, maxBytes, seal, onUnreadable } = options
  await prepareFolder(directory, 0o700)
  const form = new RegExp(
    `^${instance.replaceAll('.', '\\.')}\\.(\\d{12})\\.(batch|rejected|unreadable)$`,
  )
  const names = (await readdir(directory)).filter((name) => form.test(name)).toSorted()
  const sizes = new Map<string, number>()
  for (const name of names) sizes.set(name, (await stat(join(directory, name))).size)
  let bytes = [...sizes.values()].reduce((sum, size) => sum + size, 0)
  let last = Number(form.exec(names.at(-1) ?? '')?.[1] ?? 0)
  let queue = names.filter((name) => name.endsWith('.batch'))

  async function write(text: string, ending: string): Promise<string | undefined> {
    last += 1
    const name = `${instance}.${String(last).padStart(12, '0')}.${ending}`
    const box = seal.seal(name.replace(/\.[a-z]+$/, ''), text)
    if (bytes + box.length > maxBytes) return undefined
    const path = join(directory, name)
    try {
      await writeFile(`${path}.new`, box, { mode: fileMode, flush: true })
      await rename(`${path}.new`, path)
    } catch (error) {
      // Half of a batch would take the room of whole ones.
      await unlink(`${path}.new`).catch(() => undefined)
      throw error
    }
    sizes.set(name, box.length)
    bytes += box.length
    return name
  }

  async function drop(name: string): Promise<void> {
    await unlessMissing(unlink(join(directory, name)))
    bytes -= sizes.get(name) ?? 0
    sizes.delete(name)
    queue = queue.filter((other) => other !== name)
  }

  async function setAside(name: string): Promise<void> {
    const aside = name.replace(/batch$/, 'unreadable')
    await rename(join(directory, name), join(directory, aside))
    sizes.set(aside, sizes.get(name) ?? 0)
    sizes.delete(name)
    queue = queue.filter((other) => other !== name)
    onUnreadable()
  }

  return {
    async put(batch) {
      const name = await write(batch, 'batch')
      if (name !== undefined) queue.push(name)
      return name !== undefined
    },
    async oldest() {
      for (let [name] = queue; name !== undefined; [name] = queue) {
        // oxlint-disable-next-line no-await-in-loop -- the first that opens is wanted
        const box = await unlessMissing(readFile(join(directory, name), 'utf8'))
        // Somebody took it away: what stands behind it must not wait for it for ever.
        if (box === undefined) {
          // oxlint-disable-next-line no-await-in-loop -- as above
          await drop(name)
          onUnreadable()
          continue
        }
        const text = seal.open(name.replace(/\.[a-z]+$/, ''), box)
        if (text !== undefined) return { name, text }
        // oxlint-disable-next-line no-await-in-loop -- as above
        await setAside(name)
      }
      return undefined
    },
    remove: ({ name }) => drop(name),
    reject: async (text) => (await write(text, 'rejected')) !== undefined,
    waiting: () => queue.length,
  }
}

async function unlessMissing<T>(work: Promise<T>): Promise<T | undefined> {
  try {
    return await work
  } catch (error) {
    if (isMissing(error)) return undefined
    throw error
  }
}
