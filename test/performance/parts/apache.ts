import { spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { freePort } from '../../support/http.ts'
import { end, pinned, signInAt } from '../harness.ts'
import type { Proxy, Usage } from '../harness.ts'
import { createCallers } from '../load.ts'
import { proxyNames } from '../names.ts'

/** Apache with mod_auth_openidc, sessions in Redis, as Debian packages it; undefined where it is not installed. */
const program = '/usr/sbin/apache2'
const modules = '/usr/lib/apache2/modules'

export async function startApache(where: {
  readonly ehr: string
  readonly redisUrl: string
}): Promise<Proxy | undefined> {
  if (!existsSync(program) || !existsSync(`${modules}/mod_auth_openidc.so`)) return undefined
  const port = await freePort()
  const directory = mkdtempSync(join(tmpdir(), 'smart-bff-apache-'))
  const path = join(directory, 'apache.conf')
  writeFileSync(path, configuration({ port, directory, ...where }))
  const pin = pinned()
  const words = ['-f', path, '-DFOREGROUND']
  const [command, rest] =
    pin[0] === undefined ? [program, words] : [pin[0], [...pin.slice(1), program, ...words]]
  const child = spawn(command, rest, {
    stdio: ['ignore', 'inherit', 'inherit'],
  })
  const origin = `http://localhost:${String(port)}`
  try {
    await answers(origin)
    const headers = await signInAt(origin, '/fhir/launch/Patient/p1')
    return proxyOf(child, { origin, headers, directory })
  } catch (error) {
    await end(child)
    throw error
  }
}

function proxyOf(
  child: ChildProcess,
  {
    origin,
    headers,
    directory,
  }: {
    readonly origin: string
    readonly headers: Record<string, string>
    readonly directory: string
  },
): Proxy {
  const callers = createCallers(origin)
  return {
    name: proxyNames.apache,
    origin,
    launch: 'launch',
    headers,
    callers,
    usage: async () => usageOfFamily(child),
    stop: async () => {
      await end(child)
      callers.close()
      rmSync(directory, { recursive: true, force: true })
    },
  }
}

function configuration(options: {
  readonly port: number
  readonly directory: string
  readonly ehr: string
  readonly redisUrl: string
}): string {
  const { port, directory, ehr } = options
  const redis = new URL(options.redisUrl)
  const names = 'mpm_event authz_core authn_core authz_user headers proxy proxy_http auth_openidc'
  const loads = names
    .split(' ')
    .map((name) => `LoadModule ${name}_module ${modules}/mod_${name}.so`)
  return `
ServerName localhost
Listen 127.0.0.1:${String(port)}
PidFile ${directory}/pid
ErrorLog ${directory}/errors
DefaultRuntimeDir ${directory}
Mutex file:${directory} default
${loads.join('\n')}
User nobody
Group nogroup
StartServers 1
ServerLimit 1
ThreadsPerChild 64
ThreadLimit 64
MaxRequestWorkers 64
MaxKeepAliveRequests 0
KeepAliveTimeout 60
OIDCProviderMetadataURL ${ehr}/.well-known/openid-configuration
OIDCClientID bench
OIDCClientSecret a-secret-of-the-bench-alone-32-characters
OIDCRedirectURI http://localhost:${String(port)}/fhir/callback
OIDCCryptoPassphrase another-secret-of-the-bench-alone-32
OIDCScope "openid"
OIDCSessionType server-cache
OIDCCacheType redis
OIDCRedisCacheServer ${redis.hostname}:${redis.port}
OIDCPassIDTokenAs claims
OIDCIDTokenSignedResponseAlg ES256
<Location /fhir>
  AuthType openid-connect
  Require valid-user
</Location>
RequestHeader set Authorization "Bearer %{OIDC_access_token}e"
RequestHeader unset Cookie
ProxyPass /fhir/launch ${ehr}/fhir/r4 keepalive=On
`
}

async function answers(origin: string): Promise<void> {
  for (let tries = 0; tries < 100; tries += 1) {
    try {
      // oxlint-disable-next-line no-await-in-loop -- until it answers
      await fetch(origin, { redirect: 'manual' })
      return
    } catch {
      // oxlint-disable-next-line no-await-in-loop -- until it answers
      await wait(100)
    }
  }
  throw new Error('Apache does not answer')
}

/** CPU time and memory of a process and its children, all threads (proc(5)). */
function usageOfFamily(child: ChildProcess): Usage {
  const parents = new Map<number, number>()
  for (const name of readdirSync('/proc')) {
    if (/^\d+$/.test(name)) parents.set(Number(name), parentOf(Number(name)))
  }
  const family = [child.pid ?? 0]
  for (const pid of family) {
    for (const [other, parent] of parents) if (parent === pid) family.push(other)
  }
  let ticks = 0
  let rss = 0
  for (const pid of family) {
    const fields = statOf(pid)
    ticks += Number(fields[11] ?? 0) + Number(fields[12] ?? 0)
    rss += Number(fields[21] ?? 0) * 4096
  }
  return { cpuMicroseconds: ticks * 10_000, rssBytes: rss, peakRssBytes: rss, blockedMs: 0 }
}

const parentOf = (pid: number): number => Number(statOf(pid)[1] ?? 0)

/** The fields after the command's name, which may hold anything. */
function statOf(pid: number): readonly string[] {
  try {
    const text = readFileSync(`/proc/${String(pid)}/stat`, 'utf8')
    return text.slice(text.lastIndexOf(')') + 2).split(' ')
  } catch {
    return []
  }
}
