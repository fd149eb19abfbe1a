import { readFileSync } from 'node:fs'
import ejs from 'ejs'
import { type ErrorCode, errorTable } from '../errors.ts'
import type { Reader } from '../smart/reader.ts'
import { icons, type PageText, pageText } from './page-texts.ts'
import {
  forPatient,
  patientCookieNotKept,
  patientCookieNotKeptAnywhere,
  patientHome,
} from './patient-page-texts.ts'

/**
 * The pages a person can meet: one calm page for each state, the home page, and the page that says that the browser
 * keeps no cookie. Text only: every value is escaped, nothing of the EHR's answer is shown, and the one style sheet
 * stands in the page under the nonce of its Content-Security-Policy.
 */
export interface Pages {
  renderState(page: StatePage): string
  renderHome(page: { nonce: string }): string
  renderCookieNotKept(page: CookiePage): string
  /** Posts itself; where no script runs, the button does. */
  renderAuthorizationForm(page: FormPage): string
}

/** Shown only where the tenant is known; pages without a tenant may be framed by anyone (DESIGN, Pages without a tenant). */
export interface PageTenant {
  readonly name: string
  readonly support?: string | undefined
}

interface StatePage {
  readonly code: ErrorCode
  /** The request's number, which finds the audit record. */
  readonly incident: string
  readonly nonce: string
  readonly tenant?: PageTenant | undefined
  /** Undefined where it is not known whose launch this is. */
  readonly reader?: Reader | undefined
  /** A path of ours, only where trying again can help; a launch value works once. */
  readonly retryUrl?: string | undefined
}

interface CookiePage {
  /** The path and query of the launch, which has not been spent; undefined where a window of its own is no help. */
  readonly launchUrl: string | undefined
  readonly incident: string
  readonly nonce: string
  readonly tenant?: PageTenant | undefined
  readonly reader?: Reader | undefined
}

interface FormPage {
  /** The EHR's authorization endpoint. */
  readonly action: string
  readonly fields: readonly (readonly [name: string, value: string])[]
  readonly nonce: string
  readonly tenantName: string | undefined
}

interface Link {
  readonly url: string
  readonly label: string
  readonly newWindow: boolean
}

/** What the one template shows. */
interface Content extends PageText {
  readonly nonce: string
  readonly sentence: string
  readonly ordered: boolean
  readonly link: Link | null
  readonly tenant: Required<PageTenant> | null
  readonly incident: string | null
}

const home: Omit<Content, 'nonce'> = {
  title: 'Open this app from the EHR',
  sentence: 'This address shows nothing by itself. The app opens with the patient you work on.',
  next: ['Open a patient’s chart in the EHR.', 'Choose this app there.'],
  ordered: true,
  icon: icons.compass,
  link: null,
  tenant: null,
  incident: null,
}

const cookieNotKept = {
  title: 'The app needs a window of its own',
  sentence: errorTable.LAUNCH_COOKIE_NOT_KEPT.sentence,
  next: ['Open it in a new window. It will show the same patient.'],
  ordered: false,
  icon: icons.window,
} as const

/** In a window of its own already: a button would lead here again. */
const cookieNotKeptAnywhere = {
  ...cookieNotKept,
  title: 'The app cannot keep you signed in',
  next: [
    'Tell the service desk, with the incident number below: the browser has to permit this address to keep cookies.',
    'Until then, use the EHR itself.',
  ],
  icon: icons.warning,
} as const

/** `usual` reads the pages of which nobody knows whose launch they are about. */
export function createPages(usual: Reader = 'clinician'): Pages {
  const views = new URL('../../views/', import.meta.url)
  const read = (name: string): string => readFileSync(new URL(name, views), 'utf8')
  const style = read('page.css')
  const template = ejs.compile(read('page.ejs'), { strict: true, localsName: 'page' })
  const form = ejs.compile(read('authorization-form.ejs'), { strict: true, localsName: 'page' })
  const render = (content: Content): string => template({ ...content, style })

  return {
    renderState: ({ code, incident, nonce, tenant, retryUrl, reader = usual }) =>
      render({
        ...stateText(code, reader),
        ordered: false,
        link: link(retryUrl, 'Try again', false),
        tenant: shown(tenant, reader),
        incident,
        nonce,
      }),
    renderHome: ({ nonce }) =>
      render({ ...home, ...(usual === 'patient' ? patientHome : {}), nonce }),
    renderCookieNotKept: ({ launchUrl, incident, nonce, tenant, reader = usual }) =>
      render({
        ...cookieText(launchUrl, reader),
        link: link(launchUrl, 'Open in a new window', true),
        tenant: shown(tenant, reader),
        incident,
        nonce,
      }),
    renderAuthorizationForm: (page) => form({ ...page, style }),
  }
}

function stateText(code: ErrorCode, reader: Reader): PageText & { readonly sentence: string } {
  const { sentence, state } = errorTable[code]
  const text = { ...pageText(code), sentence }
  return reader === 'patient' ? forPatient(text, code, state) : text
}

function cookieText(launchUrl: string | undefined, reader: Reader) {
  const text = launchUrl === undefined ? cookieNotKeptAnywhere : cookieNotKept
  if (reader === 'clinician') return text
  return {
    ...text,
    ...(launchUrl === undefined ? patientCookieNotKeptAnywhere : patientCookieNotKept),
  }
}

/** A tenant without a text of its own still names a way. */
function shown(tenant: PageTenant | undefined, reader: Reader): Required<PageTenant> | null {
  if (tenant === undefined) return null
  const call = reader === 'patient' ? 'Call the hospital.' : 'Call your service desk.'
  return { name: tenant.name, support: tenant.support ?? call }
}

/** Only a path on this server becomes a link; escaping alone would let `javascript:` through. */
function link(url: string | undefined, label: string, newWindow: boolean): Link | null {
  return url !== undefined && /^\/(?![/\\])[^\s\\]*$/.test(url) ? { url, label, newWindow } : null
}
