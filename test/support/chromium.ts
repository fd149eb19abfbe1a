import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type BrowserContext, chromium } from 'playwright-core'
import { findChromium, required } from './programs.ts'

/** The real browser, quiet: nothing of it reaches the network. */
export const chromiumArgs = [
  '--headless',
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
] as const

export const chromiumPath = (): string => required(findChromium(), 'Chromium')

export interface TestBrowser {
  readonly context: BrowserContext
  close(): Promise<void>
}

export interface BrowserOptions {
  /** As clinicians have it: a cookie without Partitioned is dropped in a cross-site frame. */
  readonly blockThirdPartyCookies: boolean
  readonly viewport?: { readonly width: number; readonly height: number }
  readonly args?: readonly string[]
}

/** A browser with a profile of its own. Playwright turns the back-forward cache off; here it stays on. */
export async function openBrowser(options: BrowserOptions): Promise<TestBrowser> {
  const profile = mkdtempSync(join(tmpdir(), 'smart-bff-chromium-'))
  mkdirSync(join(profile, 'Default'))
  writeFileSync(join(profile, 'Default', 'Preferences'), preferences(options))
  const context = await chromium.launchPersistentContext(profile, {
    executablePath: chromiumPath(),
    ignoreDefaultArgs: ['--disable-back-forward-cache'],
    args: [...chromiumArgs, ...(options.args ?? [])],
    viewport: options.viewport ?? { width: 1280, height: 800 },
  })
  return {
    context,
    close: async () => {
      await context.close()
      rmSync(profile, { recursive: true, force: true, maxRetries: 5 })
    },
  }
}

/** Chromium's own setting "Block third-party cookies": mode 1 blocks, 0 allows. */
function preferences({ blockThirdPartyCookies }: BrowserOptions): string {
  return JSON.stringify({
    profile: {
      block_third_party_cookies: blockThirdPartyCookies,
      cookie_controls_mode: blockThirdPartyCookies ? 1 : 0,
    },
  })
}
