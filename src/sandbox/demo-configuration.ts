import { generateKeyPairSync, randomBytes, randomInt, scryptSync } from 'node:crypto'
import { parse } from 'yaml'

/** What `npm run demo` changes in `config/demo.yaml`. */
export interface DemoChoice {
  readonly port: number
  readonly operationsPort: number
  readonly ehrPort: number
  /** A folder or a URL of another app; the demo app otherwise. */
  readonly app: string | undefined
  /** Empty: the records of an earlier run were made under other keys. */
  readonly auditDirectory: string
}

export interface DemoConfiguration {
  /** The derived configuration; JSON is YAML too. */
  readonly text: string
  readonly redirectUri: string
  readonly clientId: string
}

interface Document {
  app: { directory?: string; upstream?: string; helper?: string }
  operations: object
  audit: { directory: string }
  tenants: [{ id: string; client: { id: string }; redirectPath?: string }]
}

/**
 * `config/demo.yaml` with this run's ports and app in it. Its relative paths are made absolute with `absolute`, because
 * the derived file lies somewhere else.
 */
export function deriveConfiguration(
  source: string,
  choice: DemoChoice,
  absolute: (path: string) => string,
): DemoConfiguration {
  const document = parse(source) as Document
  const [tenant] = document.tenants
  const publicUrl = `http://localhost:${choice.port}`
  const ehr = `http://127.0.0.1:${choice.ehrPort}`
  const redirectPath = tenant.redirectPath ?? `/callback/${tenant.id}`
  const derived = {
    ...document,
    publicUrl,
    listen: { host: 'localhost', port: choice.port },
    operations: {
      ...document.operations,
      listen: { host: 'localhost', port: choice.operationsPort },
      publicUrl: `http://localhost:${choice.operationsPort}`,
    },
    app: chosenApp(document.app, choice.app, absolute),
    audit: { ...document.audit, directory: choice.auditDirectory },
    tenants: [{ ...tenant, iss: `${ehr}/fhir/r4`, frameAncestors: [ehr] }],
  }
  return {
    text: JSON.stringify(derived, null, 2),
    redirectUri: `${publicUrl}${redirectPath}`,
    clientId: tenant.client.id,
  }
}

function chosenApp(
  app: Document['app'],
  chosen: string | undefined,
  absolute: (path: string) => string,
): Document['app'] {
  const { directory = '../src/sandbox/app', ...others } = app
  if (chosen === undefined) return { ...others, directory: absolute(directory) }
  return isUrl(chosen) ? { ...others, upstream: chosen } : { ...others, directory: chosen }
}

export const isUrl = (app: string): boolean => /^https?:\/\//.test(app)

/** Letters and digits that nobody takes for one another. */
const readable = 'abcdefghjkmnpqrstuvwxyz23456789'

/** For the staff site, whose listener may stand open to a container's network: nobody can know it beforehand. */
export const newStaffPassword = (): string =>
  Array.from({ length: 12 }, () => readable[randomInt(readable.length)]).join('')

/** Fresh keys for one run, under the names `config/demo.yaml` reads from the environment. They are written nowhere. */
export function demoSecrets(staffPassword: string): Record<string, string> {
  const secret = () => randomBytes(32).toString('base64url')
  const pem = { privateKeyEncoding: { type: 'pkcs8', format: 'pem' } } as const
  const spki = { publicKeyEncoding: { type: 'spki', format: 'pem' } } as const
  return {
    SMART_BFF_DEMO_ENCRYPTION_KEY: secret(),
    SMART_BFF_DEMO_SESSION_KEY: secret(),
    SMART_BFF_DEMO_PSEUDONYM_KEY: secret(),
    SMART_BFF_DEMO_SIGNING_KEY: generateKeyPairSync('ed25519', { ...pem, ...spki }).privateKey,
    SMART_BFF_DEMO_STAFF_PASSWORD_HASH: phcScrypt(staffPassword),
    SMART_BFF_DEMO_CLIENT_KEY: generateKeyPairSync('ec', { namedCurve: 'P-384', ...pem, ...spki })
      .privateKey,
  }
}

function phcScrypt(password: string): string {
  const salt = randomBytes(16)
  const hash = scryptSync(password, salt, 32, { N: 2 ** 14, r: 8, p: 1 })
  const text = (bytes: Buffer) => bytes.toString('base64').replaceAll('=', '')
  return `$scrypt$ln=14,r=8,p=1$${text(salt)}$${text(hash)}`
}
