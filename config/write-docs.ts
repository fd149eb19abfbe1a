import { writeFileSync } from 'node:fs'
import { configurationReference } from './reference/markdown.ts'

/** `npm run docs`: writes the documents that are made from the code. A test holds them against it. */
writeFileSync(new URL('../docs/configuration.md', import.meta.url), configurationReference())
