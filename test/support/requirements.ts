/** docs/smart-conformance.md against tap's report: a requirement that is met stands as @N in an assertion that passed. */

export interface Requirement {
  readonly number: number
  readonly met: boolean
  /** Below the repository's root. */
  readonly tests: readonly string[]
}

const row = /^\| (\d+) \| [A-Z ]+ \| .+ \| (.+) \| (.*) \|$/

export function readRequirements(markdown: string): readonly Requirement[] {
  return markdown.split('\n').flatMap((line) => {
    const [, number, how = '', tests = ''] = row.exec(line) ?? []
    if (number === undefined) return []
    const named = [...tests.matchAll(/`([^`]+)`/g)].map(([, file = '']) => `test/${file}`)
    return [{ number: Number(number), met: !how.startsWith('Out of scope: '), tests: named }]
  })
}

/** Reads the report line by line, as test/run.ts does. */
export interface Proofs {
  line(text: string): void
  /** The lines since the last file were this one's. */
  endFile(file: string): void
  provedBy(number: number): ReadonlySet<string>
}

const passed = /^\s+ok \d+ - (.*)$/
const notRun = /# (SKIP|TODO)\b/i
/** Not the @ of an address. */
const numbers = /(?<![\w/])@(\d{1,3})(?![\d.])/g

export function createProofs(): Proofs {
  const files = new Map<number, Set<string>>()
  let pending = new Set<number>()
  return {
    line: (text) => {
      const name = passed.exec(text)?.[1]
      if (name === undefined || notRun.test(name)) return
      for (const [, number] of name.matchAll(numbers)) pending.add(Number(number))
    },
    endFile: (file) => {
      for (const number of pending) {
        files.set(number, (files.get(number) ?? new Set()).add(file))
      }
      pending = new Set()
    },
    provedBy: (number) => files.get(number) ?? new Set(),
  }
}

/** One sentence for each row that the report does not bear out. */
export function unproved(requirements: readonly Requirement[], proofs: Proofs): readonly string[] {
  return requirements
    .filter(({ met }) => met)
    .flatMap(({ number, tests }) => {
      const by = proofs.provedBy(number)
      if (by.size === 0) return [`@${number}: no assertion of this number passed`]
      const silent = tests.filter((file) => !by.has(file))
      return silent.map((file) => `@${number}: ${file} has no assertion of this number that passed`)
    })
}
