import { readFileSync } from 'node:fs'
import { argv, stdout } from 'node:process'

/**
 * The software bill of materials of the product, CycloneDX 1.6 in JSON, from the lock file alone: `npm run sbom`.
 * It names what the image installs (`npm ci --omit=dev`); the base image has a bill of its own. The same lock file gives
 * the same bytes: no time, no random serial number.
 */
export interface Sbom {
  readonly bomFormat: 'CycloneDX'
  readonly specVersion: '1.6'
  readonly version: 1
  readonly metadata: { readonly component: Component }
  readonly components: readonly Component[]
  readonly dependencies: readonly { readonly ref: string; readonly dependsOn: readonly string[] }[]
}

export interface Component {
  readonly type: 'application' | 'library'
  readonly 'bom-ref': string
  readonly name: string
  readonly version: string
  readonly purl: string
  readonly licenses: readonly { readonly expression: string }[]
  readonly hashes?: readonly { readonly alg: 'SHA-512'; readonly content: string }[]
}

export interface LockFile {
  readonly packages: Readonly<Record<string, LockedPackage>>
}

interface LockedPackage {
  readonly name?: string
  readonly version?: string
  readonly license?: string
  readonly integrity?: string
  readonly dev?: boolean
  readonly devOptional?: boolean
  readonly dependencies?: Readonly<Record<string, string>>
  readonly optionalDependencies?: Readonly<Record<string, string>>
  readonly peerDependencies?: Readonly<Record<string, string>>
}

export function sbomOf({ packages }: LockFile): Sbom {
  const installed = Object.entries(packages).filter(
    ([path, { dev, devOptional }]) => path !== '' && dev !== true && devOptional !== true,
  )
  const places = new Map(installed.map(([path, locked]) => [path, refOf(nameOf(path), locked)]))
  const own = packages['']
  if (own?.name === undefined) throw new Error('the lock file does not name its own package')
  const root = component('application', own.name, own)
  const edges = (path: string, locked: LockedPackage) => ({
    ref: path === '' ? root['bom-ref'] : refOf(nameOf(path), locked),
    dependsOn: needed(locked)
      .flatMap((name) => resolved(places, path, name) ?? [])
      .toSorted(),
  })
  return {
    bomFormat: 'CycloneDX',
    specVersion: '1.6',
    version: 1,
    metadata: { component: root },
    components: once(installed.map(([path, locked]) => component('library', nameOf(path), locked))),
    dependencies: [
      edges('', own),
      ...installed.map(([path, locked]) => edges(path, locked)),
    ].filter(({ ref }, index, all) => all.findIndex((other) => other.ref === ref) === index),
  }
}

/** `node_modules/a/node_modules/@b/c` is @b/c. */
const nameOf = (path: string): string => path.slice(path.lastIndexOf('node_modules/') + 13)

const refOf = (name: string, { version = '0' }: LockedPackage): string =>
  `pkg:npm/${name.replace(/^@/, '%40')}@${version}`

function component(type: Component['type'], name: string, locked: LockedPackage): Component {
  const ref = refOf(name, locked)
  const [algorithm, digest = ''] = (locked.integrity ?? '').split('-', 2)
  return {
    type,
    'bom-ref': ref,
    name,
    version: locked.version ?? '0',
    purl: ref,
    // Where a package states none, SPDX has a word for it, which no policy permits.
    licenses: [{ expression: locked.license ?? 'NOASSERTION' }],
    ...(algorithm === 'sha512'
      ? { hashes: [{ alg: 'SHA-512', content: Buffer.from(digest, 'base64').toString('hex') }] }
      : {}),
  }
}

/** A package may stand in two places of the tree. */
const once = (components: readonly Component[]): Component[] =>
  [...new Map(components.map((one) => [one['bom-ref'], one])).values()].toSorted((one, other) =>
    one.purl < other.purl ? -1 : 1,
  )

const needed = (locked: LockedPackage): string[] => [
  ...new Set(
    [locked.dependencies, locked.optionalDependencies, locked.peerDependencies].flatMap((group) =>
      Object.keys(group ?? {}),
    ),
  ),
]

/** Node's way: the nearest node_modules upwards. */
function resolved(
  places: ReadonlyMap<string, string>,
  from: string,
  name: string,
): string | undefined {
  for (let folder = from; ;) {
    const found = places.get(`${folder === '' ? '' : `${folder}/`}node_modules/${name}`)
    if (found !== undefined || folder === '') return found
    folder = folder.slice(0, Math.max(0, folder.lastIndexOf('/node_modules/')))
  }
}

export function readLock(): LockFile {
  return JSON.parse(readFileSync(new URL('../package-lock.json', import.meta.url), 'utf8'))
}

if (argv[1] === import.meta.filename) {
  stdout.write(`${JSON.stringify(sbomOf(readLock()), undefined, 2)}\n`)
}
