import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { type Deployment, startDeployment } from '../deployment.ts'
import { createBrowser } from '../hospital.ts'
import { freePort } from '../http.ts'
import { type ClinicianDeps, work } from './clinician.ts'
import { createIngress, ingressOrigin } from './ingress.ts'
import { createTally, type Tally } from './tally.ts'

/** Two replicas on one Redis behind an ingress, the sandbox EHR, and clinicians at work in them. */
export interface Clinic {
  readonly deployment: Deployment
  readonly tally: Tally
  /** Launches that are open now. */
  live(): number
  /** Lets so many clinicians begin, one after the other. */
  begin(count: number, everyMs: number): Promise<void>
  /** What the machine does to both replicas: test/support/clinic/process-faults.ts. */
  machine(faults: MachineFaults): void
  /** Of each replica since its start. */
  lookupsFailed(): readonly number[]
  close(): Promise<void>
}

export interface MachineFaults {
  readonly clockOffsetMs?: number
  readonly dns?: 'works' | 'fails'
}

export interface ClinicOptions {
  readonly store: unknown
  readonly thinkMs: ClinicianDeps['thinkMs']
  readonly accessTokenSeconds: number
  /** `upstream` of the tenant. */
  readonly timeoutMs: number
  /** The default where it is not given. */
  readonly connections?: number
  readonly circuitOpenSeconds: number
  /** The longest that a replica may run. */
  readonly limitMs: number
}

const preload = new URL('./process-faults.ts', import.meta.url).pathname

export async function openClinic(options: ClinicOptions): Promise<Clinic> {
  const folder = mkdtempSync(join(tmpdir(), 'smart-bff-clinic-'))
  const faultsFile = join(folder, 'machine.json')
  const machine = (faults: MachineFaults): void => {
    writeFileSync(faultsFile, JSON.stringify({ clockOffsetMs: 0, dns: 'works', ...faults }))
  }
  machine({})
  const deployment = await startDeployment({
    replicas: 2,
    refreshTokens: 'rotate',
    accessTokenSeconds: options.accessTokenSeconds,
    // By name, so that it has to be looked up.
    sandboxHost: 'localhost',
    sandboxPort: await freePort(),
    nodeArgs: ['--import', preload],
    env: { PROCESS_FAULTS: faultsFile },
    limitMs: options.limitMs,
    ownFolders: true,
    tenant: {
      upstream: {
        timeoutMs: options.timeoutMs,
        ...(options.connections === undefined ? {} : { connections: options.connections }),
        circuit: { failures: 10, openSeconds: options.circuitOpenSeconds },
      },
    },
    root: {
      store: options.store,
      logging: { level: 'warn' },
      rateLimits: { launchPerMinute: 100_000, fhirPerLaunchPerMinute: 10_000_000 },
    },
  })
  const { sandbox, publicUrl, replicas } = deployment
  const ingress = createIngress(() =>
    replicas.map((replica) => ({ public: replica.public, operations: replica.operations() })),
  )
  const tally = createTally()
  const gone = new AbortController()
  const patients = sandbox.patients.map(({ id }) => id)
  const clinicians: Promise<void>[] = []
  let live = 0

  return {
    deployment,
    tally,
    live: () => live,
    begin: async (count, everyMs) => {
      for (let begun = 0; begun < count; begun += 1) {
        clinicians.push(
          work(
            {
              sandbox,
              tally,
              publicUrl,
              browser: createBrowser(ingressOrigin, publicUrl, sandbox, ingress.send),
              signal: gone.signal,
              thinkMs: options.thinkMs,
              onLaunch: (change) => tally.live((live += change)),
            },
            patients,
          ),
        )
        // oxlint-disable-next-line no-await-in-loop -- one after the other is the point
        await sleep(everyMs)
      }
    },
    machine,
    lookupsFailed: () => replicas.map((replica) => countIn(`${faultsFile}.${replica.pid()}`)),
    close: async () => {
      gone.abort()
      await Promise.all(clinicians)
      ingress.stop()
      await deployment.close()
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

/** Nothing stands there before the process has written it. */
function countIn(path: string): number {
  try {
    return Number(readFileSync(path, 'utf8'))
  } catch {
    return 0
  }
}
