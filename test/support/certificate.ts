import { generateKeyPairSync, randomBytes, sign } from 'node:crypto'

/** A certificate signed by itself, for a TLS server of a test on this machine: PEM, with its key. */
export interface TestCertificate {
  readonly cert: string
  readonly key: string
}

export interface CertificateOptions {
  readonly notBefore?: Date
  readonly notAfter?: Date
  /** Its one DNS name; 127.0.0.1 stands beside `localhost` only. */
  readonly host?: string
}

const dayMs = 86_400_000

/** RFC 5280, written by hand, because Node makes keys and signatures but no certificates. */
export function newCertificate(options: CertificateOptions = {}): TestCertificate {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const { host = 'localhost' } = options
  const notBefore = options.notBefore ?? new Date(Date.now() - dayMs)
  const notAfter = options.notAfter ?? new Date(Date.now() + 365 * dayMs)
  const name = sequence(set(sequence(objectId('550403'), der(0x0c, Buffer.from(host)))))
  const serial = randomBytes(8)
  serial.writeUInt8(1, 0)
  const body = sequence(
    der(0xa0, der(0x02, Buffer.from([2]))),
    der(0x02, serial),
    ecdsaWithSha256,
    name,
    sequence(time(notBefore), time(notAfter)),
    name,
    publicKey.export({ type: 'spki', format: 'der' }),
    der(0xa3, sequence(basicConstraints, alternativeNames(host))),
  )
  const whole = sequence(body, ecdsaWithSha256, bitString(sign('sha256', body, privateKey)))
  return {
    cert: pem(whole),
    key: privateKey.export({ type: 'pkcs8', format: 'pem' }),
  }
}

function der(tag: number, ...parts: readonly Buffer[]): Buffer {
  const content = Buffer.concat(parts)
  const { length } = content
  if (length < 128) return Buffer.concat([Buffer.from([tag, length]), content])
  const bytes = length < 256 ? [0x81, length] : [0x82, length >> 8, length & 255]
  return Buffer.concat([Buffer.from([tag, ...bytes]), content])
}

const sequence = (...parts: readonly Buffer[]): Buffer => der(0x30, ...parts)
const set = (...parts: readonly Buffer[]): Buffer => der(0x31, ...parts)
const objectId = (hex: string): Buffer => der(0x06, Buffer.from(hex, 'hex'))
const bitString = (content: Buffer): Buffer => der(0x03, Buffer.from([0]), content)
const octets = (content: Buffer): Buffer => der(0x04, content)

const ecdsaWithSha256 = sequence(objectId('2a8648ce3d040302'))
const basicConstraints = sequence(
  objectId('551d13'),
  octets(sequence(der(0x01, Buffer.from([0xff])))),
)

function alternativeNames(host: string): Buffer {
  const address = host === 'localhost' ? [der(0x87, Buffer.from([127, 0, 0, 1]))] : []
  return sequence(objectId('551d11'), octets(sequence(der(0x82, Buffer.from(host)), ...address)))
}

/** UTCTime: YYMMDDHHMMSSZ. */
const time = (date: Date): Buffer =>
  der(0x17, Buffer.from(`${date.toISOString().replaceAll(/[-:T]/g, '').slice(2, 14)}Z`))

const pem = (content: Buffer): string => {
  const lines = content.toString('base64').match(/.{1,64}/g) ?? []
  return `-----BEGIN CERTIFICATE-----\n${lines.join('\n')}\n-----END CERTIFICATE-----\n`
}
