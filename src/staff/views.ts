import { readFileSync } from 'node:fs'
import ejs from 'ejs'
import { may } from './permissions.ts'
import type { Permission } from './permissions.ts'
import type { StaffMember } from './staff-session.ts'

/** The pages of the staff site: one layout, one template a page, no script. Every value is escaped by the template. */
export interface StaffViews {
  render(name: ViewName, page: StaffPage): string
  readonly style: string
  readonly icon: string
}

export type ViewName = (typeof names)[number]

export interface StaffPage {
  readonly title: string
  readonly incident: string
  readonly member?: StaffMember | undefined
  /** Goes on to this path of ours at once. */
  readonly refresh?: string
  /** What the page's own template shows. */
  readonly data: object
}

const menu: readonly { href: string; label: string; permission: Permission; view: ViewName }[] = [
  { href: '/', label: 'Find', permission: 'find', view: 'find' },
  { href: '/overview', label: 'Overview', permission: 'overview', view: 'overview' },
  { href: '/tenants', label: 'Tenants', permission: 'tenants', view: 'tenants' },
  { href: '/launches', label: 'Launches', permission: 'end_launches', view: 'launches' },
  { href: '/integrity', label: 'Integrity', permission: 'integrity', view: 'integrity' },
  { href: '/docs', label: 'Docs', permission: 'docs', view: 'docs' },
]

const names = [
  'find',
  'launch',
  'overview',
  'tenants',
  'integrity',
  'sign-in',
  'message',
  'launches',
  'docs',
  'doc',
  'causes',
  'end-launches',
  'tenant',
  'contract',
] as const

export function createStaffViews(): StaffViews {
  const folder = new URL('../../views/staff/', import.meta.url)
  const read = (name: string): string => readFileSync(new URL(name, folder), 'utf8')
  const compile = (name: string) => ejs.compile(read(name), { strict: true, localsName: 'page' })
  const layout = compile('layout.ejs')
  const templates = new Map(names.map((name) => [name, compile(`${name}.ejs`)]))
  return {
    style: read('staff.css'),
    icon: read('icon.svg'),
    render(name, { title, incident, member, refresh, data }) {
      const items =
        member === undefined ? [] : menu.filter((item) => may(member.roles, item.permission))
      return layout({
        title,
        incident,
        member: member ?? null,
        refresh: refresh ?? null,
        menu: items.map(({ href, label, view }) => ({ href, label, current: view === name })),
        content: templates.get(name)?.(data) ?? '',
      })
    },
  }
}
