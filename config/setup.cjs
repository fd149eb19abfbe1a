'use strict'
// Runs before `npm run demo`, `npm test`, `npm run check` and `npm start`, so that each of them works as the first
// command after a clone. Plain CommonJS for the system's Node (20 or newer) and without packages of its own:
// it is what installs them. Everything that runs after it runs on the Node 26 that it installed.
const { spawnSync } = require('node:child_process')
const { createHash } = require('node:crypto')
const { existsSync, lstatSync, readFileSync, writeFileSync } = require('node:fs')
const { join } = require('node:path')

const root = join(__dirname, '..')
const lock = join(root, 'package-lock.json')
/** The digest of the lock file that node_modules was made from; a file's time says nothing after a checkout. */
const stamp = join(root, 'node_modules', '.smart-bff-lock')
const projectNode = join(root, 'node_modules', '.bin', 'node')

function fail(sentence) {
  process.stderr.write(`${sentence}\n`)
  process.exit(69)
}

/** A linked folder belongs to another checkout, and `npm ci` would empty it for everybody. */
const isLinked = () =>
  lstatSync(join(root, 'node_modules'), { throwIfNoEntry: false })?.isSymbolicLink() === true

function installPackages() {
  if (isLinked()) return
  const wanted = createHash('sha256').update(readFileSync(lock)).digest('hex')
  if (existsSync(stamp) && readFileSync(stamp, 'utf8') === wanted) return
  process.stderr.write('Installing packages (once, about a minute) ...\n')
  const result = spawnSync('npm', ['ci', '--loglevel=error'], {
    cwd: root,
    stdio: ['ignore', 'ignore', 'inherit'],
  })
  if (result.status !== 0)
    fail('npm ci failed: see the lines above. The npm registry must be reachable.')
  writeFileSync(stamp, wanted)
}

const nodeRuns = () => spawnSync(projectNode, ['-v'], { encoding: 'utf8' })

/** npm's build of Node 26 needs libatomic.so.1, which a minimal Debian does not have. */
function checkNode() {
  if (nodeRuns().status === 0) return
  const mayInstall = typeof process.getuid === 'function' && process.getuid() === 0
  if (mayInstall && existsSync('/usr/bin/apt-get')) {
    process.stderr.write('Installing libatomic1, which Node 26 needs ...\n')
    spawnSync('apt-get', ['update', '-qq'], { stdio: 'ignore' })
    spawnSync('apt-get', ['install', '-y', '-qq', 'libatomic1'], { stdio: 'ignore' })
  }
  const again = nodeRuns()
  if (again.status === 0) return
  const why = (again.stderr || String(again.error || '')).trim().split('\n')[0]
  fail(`Node 26 does not start (${why}). Install the package libatomic1 and run the command again.`)
}

if (existsSync(lock)) {
  installPackages()
  checkNode()
}
