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
  const [command, ...args] = npmThatReadsTheLock()
  const result = spawnSync(command, [...args, 'ci', '--loglevel=error'], {
    cwd: root,
    stdio: ['ignore', 'ignore', 'inherit'],
  })
  if (result.status !== 0) fail(`npm ci failed: see the lines above. ${whatCiNeeds()}`)
  writeFileSync(stamp, wanted)
}

const whatCiNeeds = () =>
  existsSync('/sbin/ldconfig') && !hasLibatomic()
    ? 'Node 26 needs the package libatomic1: install it and run the command again.'
    : 'The npm registry must be reachable.'

/** npm 9, which Debian 13 has, takes a lock file with an aliased override for one out of step with package.json. */
function npmThatReadsTheLock() {
  const { stdout } = spawnSync('npm', ['--version'], { encoding: 'utf8' })
  if (!stdout) fail('npm is not installed: it comes with Node, on Debian as the package npm.')
  return Number.parseInt(stdout, 10) >= 10 ? ['npm'] : ['npx', '--yes', 'npm@10.9.4']
}

/**
 * npm's build of Node 26 needs libatomic.so.1, which a minimal Debian does not have. It must be there before the
 * packages are: the first of their install scripts to run already runs on that Node.
 */
function installLibatomic() {
  const mayInstall = typeof process.getuid === 'function' && process.getuid() === 0
  if (!mayInstall || !existsSync('/usr/bin/apt-get') || hasLibatomic()) return
  process.stderr.write('Installing libatomic1, which Node 26 needs ...\n')
  spawnSync('apt-get', ['update', '-qq'], { stdio: 'ignore' })
  spawnSync('apt-get', ['install', '-y', '-qq', 'libatomic1'], { stdio: 'ignore' })
}

function hasLibatomic() {
  const { status, stdout } = spawnSync('/sbin/ldconfig', ['-p'], { encoding: 'utf8' })
  return status === 0 && stdout.includes('libatomic.so.1')
}

function checkNode() {
  const { status, stderr, error } = spawnSync(projectNode, ['-v'], { encoding: 'utf8' })
  if (status === 0) return
  const why = (stderr || String(error || '')).trim().split('\n')[0]
  fail(`Node 26 does not start (${why}). Install the package libatomic1 and run the command again.`)
}

if (existsSync(lock)) {
  installLibatomic()
  installPackages()
  checkNode()
}
