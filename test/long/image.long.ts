import { execFileSync, spawnSync } from 'node:child_process'
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import t from 'tap'
import type { Sbom } from '../../config/sbom.ts'
import { rawConfig } from '../support/config.ts'
import { tellFigures } from '../support/figures.ts'
import { createBrowser, sandboxFor, withIss } from '../support/hospital.ts'
import { freePort } from '../support/http.ts'
import { runImage } from '../support/image-run.ts'
import { ensureDebianPackages } from '../support/install.ts'
import { until } from '../support/until.ts'

/**
 * The image, built as the Dockerfile says and without an engine (buildah in a chroot, as root), on a base made from
 * this machine's Debian and the project's Node. Then what is in it, who it runs as, and a launch against it.
 */

// A build takes minutes.
t.setTimeout(3_600_000)

const root = fileURLToPath(new URL('../../', import.meta.url))
const folder = mkdtempSync(join(tmpdir(), 'smart-bff-image-'))
t.teardown(() => rmSync(folder, { recursive: true, force: true }))

const missing = ensureDebianPackages(['buildah', 'debootstrap'])
if (missing.length > 0) throw new Error(`this needs root and ${missing.join(', ')}`)

/** Its own storage, gone with the folder. */
const storage = [
  '--storage-driver',
  'vfs',
  '--root',
  join(folder, 'root'),
  '--runroot',
  join(folder, 'run'),
]
const buildah = (...args: string[]): string =>
  execFileSync('buildah', [...storage, ...args], {
    cwd: root,
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'inherit'],
    maxBuffer: 1 << 26,
  })

const base = 'localhost/node:base'
const image = 'localhost/smart-bff:test'

function makeBase(): void {
  const system = join(folder, 'system')
  const release = /VERSION_CODENAME=(\w+)/.exec(readFileSync('/etc/os-release', 'utf8'))?.[1]
  const made = spawnSync(
    'debootstrap',
    ['--variant=minbase', '--include=ca-certificates,libatomic1', release ?? 'stable', system],
    { stdio: ['ignore', 'ignore', 'inherit'] },
  )
  if (made.status !== 0) throw new Error('debootstrap failed')
  cpSync(realNode(), join(system, 'usr/local/bin/node'))
  const command = execFileSync('sh', ['-c', 'readlink -f "$(command -v npm)"'], {
    encoding: 'utf8',
  })
  // …/npm/bin/npm-cli.js
  const npmFolder = join(command.trim(), '../..')
  cpSync(npmFolder, join(system, 'usr/local/lib/node_modules/npm'), {
    recursive: true,
    dereference: true,
  })
  const npm = join(system, 'usr/local/bin/npm')
  writeFileSync(npm, '#!/bin/sh\nexec node /usr/local/lib/node_modules/npm/bin/npm-cli.js "$@"\n', {
    mode: 0o755,
  })
  // How this machine reaches the registry.
  const settings = { NPM_CONFIG_REGISTRY: registry() }
  const authorities = process.env['NODE_EXTRA_CA_CERTS']
  if (authorities !== undefined && existsSync(authorities)) {
    cpSync(authorities, join(system, 'etc/ssl/extra.pem'))
    Object.assign(settings, { NODE_EXTRA_CA_CERTS: '/etc/ssl/extra.pem' })
  }
  writeFileSync(
    join(folder, 'Base'),
    `FROM scratch\nADD system /\nENV ${Object.entries(settings)
      .map(([name, value]) => `${name}=${value}`)
      .join(' ')}\n`,
  )
  buildah('bud', '--isolation', 'chroot', '-q', '-t', base, '-f', join(folder, 'Base'), folder)
  rmSync(system, { recursive: true, force: true })
}

const realNode = (): string => process.execPath
const registry = (): string =>
  execFileSync('npm', ['config', 'get', 'registry'], { encoding: 'utf8' }).trim()

makeBase()
buildah(
  'bud',
  '--isolation',
  'chroot',
  // As README.md has it: the OCI format knows no health check.
  '--format',
  'docker',
  '-q',
  '--build-arg',
  `NODE_IMAGE=${base}`,
  '--target',
  'runtime',
  '-t',
  image,
  '.',
)
const container = buildah('from', image).trim()
const mounted = buildah('mount', container).trim()
t.teardown(() => buildah('umount', container))

const files = readdirSync(mounted, { recursive: true, encoding: 'utf8' })
const own = files.filter((name) => name.startsWith('smart-bff/'))

t.test('what is in it, and what is not', (t) => {
  for (const needed of [
    'dist/main.js',
    'dist/app.js',
    'dist/browser/smart-bff.js',
    'views/page.ejs',
    'package.json',
    'LICENSE',
    'sbom.json',
    'docs/operate.md',
    'docs/changelog.md',
  ]) {
    t.ok(own.includes(`smart-bff/${needed}`), needed)
  }
  t.same(readdirSync(join(mounted, 'smart-bff')).toSorted(), [
    'LICENSE',
    'dist',
    'docs',
    'node_modules',
    'package.json',
    'sbom.json',
    'views',
  ])
  const unwanted = own.filter(
    (name) =>
      !/\/(node_modules|docs)\//.test(name) &&
      /sandbox|\.test\.|\.pem$|\.env$|[^d]\.ts$/.test(name),
  )
  t.same(unwanted, [])
  const installed = (name: string): boolean =>
    own.includes(`smart-bff/node_modules/${name}/package.json`)
  t.ok(installed('fastify'))
  for (const development of [
    'tap',
    'typescript',
    'playwright-core',
    'oidc-provider',
    '@medplum/core',
    'node',
  ]) {
    t.notOk(installed(development), development)
  }
  const [kilobytes = ''] = execFileSync('du', ['-sk', join(mounted, 'smart-bff')], {
    encoding: 'utf8',
  }).split('\t')
  tellFigures(t, { files: own.length, megabytes: Math.round(Number(kilobytes) / 1024) })
  t.end()
})

t.test('its bill of materials is what is installed', (t) => {
  const bill = JSON.parse(readFileSync(join(mounted, 'smart-bff/sbom.json'), 'utf8')) as Sbom
  const said = new Set(bill.components.map(({ name, version }) => `${name}@${version}`))
  const found = new Set(
    own
      .filter((name) => /node_modules\/(@[^/]+\/)?[^/]+\/package\.json$/.test(name))
      .map(
        (name) =>
          JSON.parse(readFileSync(join(mounted, name), 'utf8')) as {
            name?: string
            version?: string
          },
      )
      .filter(({ name, version }) => name !== undefined && version !== undefined)
      .map(({ name, version }) => `${String(name)}@${String(version)}`),
  )
  t.same(
    [...said].filter((one) => !found.has(one)),
    [],
    'nothing is said that is not there',
  )
  t.same(
    [...found].filter((one) => !said.has(one)),
    [],
    'nothing is there that is not said',
  )
  tellFigures(t, { packages: said.size })
  t.end()
})

const { OCIv1: oci, Docker: docker } = JSON.parse(buildah('inspect', '--type', 'image', image))

t.test('who it runs as, and how it is watched and stopped', (t) => {
  t.match(oci.config, {
    User: '1000:1000',
    Cmd: ['node', 'dist/main.js', 'serve'],
    StopSignal: 'SIGTERM',
    WorkingDir: '/smart-bff',
    Volumes: { '/var/lib/smart-bff/audit': {} },
    Labels: { 'org.opencontainers.image.title': 'smart-bff' },
  })
  t.same(Object.keys(oci.config.ExposedPorts).toSorted(), ['3000/tcp', '3001/tcp'])
  t.match(docker.config.Healthcheck, {
    Test: ['CMD', 'node', '-e', /SMART_BFF_HEALTH_URL/],
    Interval: 10e9,
    Timeout: 3e9,
    StartPeriod: 30e9,
  })
  const writable = spawnSync(
    'find',
    [
      join(mounted, 'smart-bff'),
      '-not',
      '-user',
      'root',
      '-o',
      '-perm',
      '-o+w',
      '-not',
      '-type',
      'l',
    ],
    { encoding: 'utf8' },
  )
  t.equal(writable.stdout, '', 'the user of the process cannot change the program')
  const audit = spawnSync('stat', ['-c', '%u:%g %a', join(mounted, 'var/lib/smart-bff/audit')], {
    encoding: 'utf8',
  })
  t.equal(audit.stdout.trim(), '1000:1000 700')
  t.end()
})

t.test('a launch against it, on a read-only root and without capabilities', async (t) => {
  const [port, operations] = [await freePort(), await freePort()]
  const publicUrl = `http://localhost:${port}`
  const raw = rawConfig({
    publicUrl,
    root: {
      listen: { host: 'localhost', port },
      operations: { listen: { host: '127.0.0.1', port: operations } },
      app: { directory: '/etc/smart-bff/app' },
      audit: { directory: '/var/lib/smart-bff/audit' },
    },
  })
  const sandbox = await sandboxFor(raw, publicUrl, {})
  t.teardown(() => sandbox.close())
  const configuration = join(folder, 'configuration')
  mkdirSync(join(configuration, 'app'), { recursive: true })
  writeFileSync(join(configuration, 'app/index.html'), '<!doctype html><title>App</title>')
  writeFileSync(join(configuration, 'smart-bff.yaml'), JSON.stringify(withIss(raw, sandbox)))
  const before = performance.now()
  const run = await runImage({
    root: mounted,
    config: oci.config,
    environment: { SMART_BFF_CONFIG: '/etc/smart-bff/smart-bff.yaml' },
    mounts: { '/etc/smart-bff': configuration },
    writable: { place: '/var/lib/smart-bff/audit', folder: join(folder, 'audit') },
  })
  t.teardown(() => run.stop())
  await until(
    async () =>
      (await fetch(`http://127.0.0.1:${operations}/readyz`).catch(() => undefined))?.status,
    (status) => status === 200,
    60_000,
  )
  tellFigures(t, { readyMs: Math.round(performance.now() - before) })
  t.match(run.rootOptions(), /^ro(,|$)/)
  t.match(run.status('Uid'), /^1000\s+1000\s+1000\s+1000$/)
  t.match(run.status('NSpid'), /\s1$/, 'process 1 hears SIGTERM itself')
  for (const set of ['CapInh', 'CapPrm', 'CapEff', 'CapAmb']) t.match(run.status(set), /^0+$/, set)
  t.equal(run.status('NoNewPrivs'), '1')
  const write = (path: string) =>
    run.beside(['node', '-e', `require('node:fs').writeFileSync('${path}', '')`])
  t.equal(write('/tmp/x'), 0)
  t.equal(write('/var/lib/smart-bff/audit/x'), 0)
  t.equal(write('/smart-bff/x'), 1, 'nothing else may be written')
  const [, ...health] = docker.config.Healthcheck.Test as string[]
  const ask = (url: string) => run.beside(health, { SMART_BFF_HEALTH_URL: url })
  t.equal(ask(`http://127.0.0.1:${operations}/healthz`), 0, 'the health check is well')
  t.equal(ask(`http://127.0.0.1:${await freePort()}/healthz`), 1, 'where nobody answers it is not')
  const browser = createBrowser(publicUrl, publicUrl, sandbox)
  const { id: patient } = sandbox.patient('amara')
  const { launch, response } = await browser.launch({ patient })
  t.equal(response.status, 200)
  const chart = await browser.fetch(`/fhir/${launch}/Patient/${patient}`)
  t.equal(chart.status, 200)
  t.match(await chart.json(), { resourceType: 'Patient', id: patient })
  t.equal(await run.stop(), 0, 'it stops in order')
  const audit = readdirSync(join(folder, 'audit')).filter((name) => name.endsWith('.jsonl'))
  t.match(readFileSync(join(folder, 'audit', audit[0] ?? ''), 'utf8'), /"event":"process.stopped"/)
})
