import { buildSync } from 'esbuild'
import { fileURLToPath } from 'node:url'

/** What an app developer's bundler makes of a package: one script for the browser. */
export function bundle(contents: string): string {
  const { outputFiles } = buildSync({
    stdin: { contents, resolveDir: fileURLToPath(new URL('../../', import.meta.url)) },
    bundle: true,
    write: false,
    format: 'iife',
    platform: 'browser',
    define: { 'process.env.NODE_ENV': '"production"' },
    // The project's own is for another compiler.
    tsconfigRaw: {},
  })
  return outputFiles[0]?.text ?? ''
}
