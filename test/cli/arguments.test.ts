import t from 'tap'
import { readArguments } from '../../src/cli/arguments.ts'
import { startFailure } from '../../src/cli/start-failure.ts'
import { SmartBffError } from '../../src/errors.ts'

const table: [args: string[], expected: object][] = [
  [[], { kind: 'serve' }],
  [['serve'], { kind: 'serve' }],
  [['check'], { kind: 'check', print: false }],
  [['check', '--print'], { kind: 'check', print: true }],
  [['keys', 'new', '--kind', 'session'], { kind: 'keys-new', keyKind: 'session', raw: false }],
  [['keys', 'new', '--kind=signing', '--raw'], { kind: 'keys-new', keyKind: 'signing', raw: true }],
  [['-h'], { kind: 'help' }],
  [['check', '--help'], { kind: 'help', about: 'check' }],
  [['help', 'audit', 'search'], { kind: 'help', about: 'audit search' }],
  [['audit', 'search', 'folder', '--help'], { kind: 'help', about: 'audit search' }],
  [['help'], { kind: 'help', about: undefined }],
  [['help', 'dance'], { kind: 'misused', sentence: 'unknown command "dance"' }],
  [['keys', '--help'], { kind: 'misused', sentence: /there are keys new and keys rotate$/ }],
  [['--version'], { kind: 'version' }],
  [['--colour'], { kind: 'misused', sentence: 'unknown option --colour' }],
  [['-x'], { kind: 'misused', sentence: 'unknown option -x' }],
  [['dance'], { kind: 'misused', sentence: 'unknown command "dance"' }],
  [['constructor'], { kind: 'misused', sentence: 'unknown command "constructor"' }],
  [['keys'], { kind: 'misused', sentence: 'unknown command "keys"' }],
  [['keys', 'new'], { kind: 'misused', sentence: /^--kind must be one of encryption/ }],
  [['keys', 'new', '--kind', 'x'], { kind: 'misused', sentence: /^--kind must be one of/ }],
  [['serve', '--print'], { kind: 'misused', sentence: 'serve has no option --print' }],
  [['check', '--raw'], { kind: 'misused', sentence: 'check has no option --raw' }],
  [['audit', 'verify'], { kind: 'audit-verify', directory: undefined }],
  [
    ['audit', 'verify', '--directory', 'd', '--key=k.pem', '--checkpoints', 'c'],
    { kind: 'audit-verify', directory: 'd', key: 'k.pem', checkpoints: 'c', instance: undefined },
  ],
  [['audit', 'verify', '--key'], { kind: 'misused', sentence: '--key needs a value' }],
  [
    ['revoke', '--tenant', 'n', '--user', 'Practitioner/1', '--reason', 'device_lost'],
    {
      kind: 'revoke',
      target: { kind: 'user', tenant: 'n', user: 'Practitioner/1' },
      reason: 'device_lost',
      by: undefined,
      config: undefined,
    },
  ],
  [
    ['revoke', '--all', '--reason', 'incident', '--by', 'a', '--config', 'c'],
    { kind: 'revoke', target: { kind: 'everything' }, by: 'a', config: 'c' },
  ],
  [['revoke', '--all'], { kind: 'misused', sentence: /--reason must be one of/ }],
  [['revoke', '--all', '--reason', 'John Doe'], { kind: 'misused' }],
  [['revoke', '--reason', 'incident'], { kind: 'misused', sentence: /needs one of/ }],
  [['revoke', '--all', '--key', 'k', '--reason', 'incident'], { kind: 'misused' }],
  [['revoke', '--user', 'u', '--reason', 'incident'], { kind: 'misused' }],
  [['keys', 'rotate', '--config', 'c'], { kind: 'keys-rotate', config: 'c' }],
  [['keys', 'rotate', '--config'], { kind: 'misused' }],
  [['preflight'], { kind: 'preflight', tenant: undefined, json: false }],
  [
    ['preflight', '--tenant', 'north', '--json'],
    { kind: 'preflight', tenant: 'north', json: true },
  ],
  [['preflight', '--tenant'], { kind: 'misused', sentence: '--tenant needs a value' }],
  [['contract', '--tenant=north'], { kind: 'contract', tenant: 'north' }],
  [['matrix', '--json'], { kind: 'matrix', tenant: undefined, json: true }],
  [['contract'], { kind: 'misused', sentence: 'contract needs --tenant' }],
  [
    ['check', '--print=yes'],
    { kind: 'misused', sentence: '--print takes no value', about: 'check' },
  ],
  [['keys', 'new', '--kind', 'session', '--raw=true'], { kind: 'misused' }],
  [['--version=false'], { kind: 'misused', sentence: '--version takes no value' }],
  [['-h', '--help'], { kind: 'misused', sentence: '--help was given twice' }],
  [
    ['revoke', '--all=false', '--reason', 'maintenance'],
    { kind: 'misused', sentence: '--all takes no value', about: 'revoke' },
  ],
  [
    ['revoke', '--tenant', 'north', '--tenant', 'south', '--reason', 'maintenance'],
    { kind: 'misused', sentence: '--tenant was given twice' },
  ],
  [
    ['revoke', '--tenant', 'north', '--user', '--reason', 'incident'],
    { kind: 'misused', sentence: '--user needs a value' },
  ],
  [
    ['revoke', '--tenant=north', '--user=', '--reason', 'incident'],
    { kind: 'misused', sentence: '--user needs a value' },
  ],
  [['audit', 'search', '--json=true', 'x'], { kind: 'misused', sentence: '--json takes no value' }],
  [
    ['audit', 'search', '--patient', '--json'],
    { kind: 'misused', sentence: '--patient needs a value' },
  ],
  [
    ['audit', 'search', '--patient=-1', '--from', '2026-03-01'],
    { kind: 'audit-search', wanted: { patient: '-1', from: '2026-03-01' }, directories: [] },
  ],
  [['check', 'now'], { kind: 'misused', sentence: 'unknown command "check now"' }],
]

for (const [args, expected] of table) {
  t.match(readArguments(args), expected, args.join(' '))
}

t.test('only what comes from outside becomes a sentence', (t) => {
  const system = (code: string, more: object) => Object.assign(new Error('x'), { code, ...more })
  t.equal(
    startFailure(system('EADDRINUSE', { address: '::', port: 3000 })),
    'the port is in use: :::3000',
  )
  t.equal(startFailure(system('EROFS', { path: '/audit' })), 'on a read-only file system: /audit')
  t.equal(startFailure(system('EXDEV', { syscall: 'rename' })), 'rename failed (EXDEV)')
  t.match(
    startFailure(new SmartBffError('STORE_UNAVAILABLE', { detail: 'no answer' })),
    'STORE_UNAVAILABLE: no answer',
  )
  t.equal(startFailure(new SmartBffError('INTERNAL')), undefined)
  t.equal(startFailure(new TypeError('x')), undefined)
  t.equal(startFailure(system('ERR_ASSERTION', {})), undefined)
  t.end()
})
