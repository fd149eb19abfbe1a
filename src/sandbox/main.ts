import { readFileSync } from 'node:fs'
import { parseArgs } from 'node:util'
import type { SandboxClient } from './options.ts'
import { type VendorName, vendorNames } from './vendors.ts'

/** The sandbox EHR from the command line: `node src/sandbox/main.ts --port 9000`. */

const help = `The sandbox EHR: a SMART on FHIR server with synthetic patients.

  --port N                  where it listens (9000)
  --host HOST               the address it listens on (127.0.0.1)
  --launch-url URL          what a chart opens (http://localhost:3000/launch)
  --client-config FILE|JSON one registered client or a list of them:
                            { clientId, auth, secret?, jwks? | jwksUri?, redirectUris }
  --seed N                  another seed makes other ids and values
  --access-token-seconds N  how long an access token lives (the vendor's, or 3600)
  --vendor NAME             behave as this vendor's EHRs do: ${vendorNames.join(', ')}
  --help                    this text

Its controls for tests are at /_control, for this machine only.
`

const { values } = parseArgs({
  options: {
    port: { type: 'string', default: '9000' },
    host: { type: 'string', default: '127.0.0.1' },
    'launch-url': { type: 'string' },
    'client-config': { type: 'string' },
    seed: { type: 'string' },
    'access-token-seconds': { type: 'string' },
    vendor: { type: 'string', default: 'generic' },
    help: { type: 'boolean', default: false },
  },
})

if (values.help) process.stdout.write(help)
else await serve()

async function serve(): Promise<void> {
  quietLibrary()
  const { startSandbox } = await import('./sandbox.ts')
  const { seed, 'launch-url': launchUrl, 'access-token-seconds': accessTokenSeconds } = values
  try {
    const sandbox = await startSandbox({
      port: whole('port', values.port),
      host: values.host,
      vendor: vendorNamed(values.vendor),
      ...(launchUrl === undefined ? {} : { launchUrl }),
      ...(values['client-config'] === undefined
        ? {}
        : { clients: readClients(values['client-config']) }),
      ...(seed === undefined ? {} : { seed: whole('seed', seed) }),
      ...(accessTokenSeconds === undefined
        ? {}
        : { accessTokenSeconds: whole('access-token-seconds', accessTokenSeconds) }),
    })
    process.stdout.write(`Sandbox EHR with synthetic data: ${sandbox.origin}/\n`)
    const stop = (): void => void sandbox.close().then(() => process.exit(0))
    process.once('SIGINT', stop)
    process.once('SIGTERM', stop)
  } catch (error) {
    process.stderr.write(`sandbox: ${sentence(error)}\n`)
    process.exit(1)
  }
}

function readClients(value: string): SandboxClient[] {
  const text = /^\s*[[{]/.test(value) ? value : readFileSync(value, 'utf8')
  const parsed = JSON.parse(text) as SandboxClient | SandboxClient[]
  return Array.isArray(parsed) ? parsed : [parsed]
}

function vendorNamed(name: string): VendorName {
  const known = vendorNames.find((one) => one === name)
  if (known !== undefined) return known
  process.stderr.write(`sandbox: --vendor is one of ${vendorNames.join(', ')}, not ${name}\n`)
  process.exit(64)
}

function whole(name: string, value: string): number {
  const number = Number(value)
  if (!Number.isInteger(number) || number < 0) {
    process.stderr.write(`sandbox: --${name} wants a whole number, not ${value}\n`)
    process.exit(64)
  }
  return number
}

function sentence(error: unknown): string {
  if (error instanceof Error && 'code' in error && error.code === 'EADDRINUSE') {
    return `port ${values.port} is taken; choose another with --port`
  }
  return error instanceof Error ? error.message : String(error)
}

/** oidc-provider remarks on its host's Node version and on parsed bodies; both are as they should be here. */
function quietLibrary(): void {
  for (const level of ['info', 'warn'] as const) {
    const say = console[level].bind(console)
    console[level] = (...words: unknown[]) => {
      if (!String(words[0]).includes('oidc-provider ')) say(...words)
    }
  }
}
