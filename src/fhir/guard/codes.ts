/**
 * The numbers that the scan and its reader share. Plain constants, because this file is TypeScript and AssemblyScript at
 * once (vector/).
 */

/** Members that matter to the guard. A repeat of any of them in one object makes the scan unsure. */
export const none = 0
export const resourceType = 1
export const id = 2
export const reference = 3
export const contained = 4
export const resource = 5
export const entry = 6
export const link = 7
export const fullUrl = 8
export const type = 9
export const url = 10
export const location = 11
/** From here on: elements that say whom a resource is about (src/smart/tables/subjects.ts). */
export const subject = 12
export const patient = 13
export const beneficiary = 14
export const candidate = 15
export const individual = 16
export const forMember = 17
export const deliverTo = 18
/** The other members that a Bundle may have: they matter at its root alone. */
export const bundleMember = 19

/** What was found: one event is `eventWords` numbers, of which the first says what the others mean. */
export const eventWords = 14

/** kind, depth, holder, type from, to, id from, to, and twice: subject member, reference from, to; how many are like it. */
export const resourceEvent = 1
/** kind, from, to of a URL under the EHR's base, and which of them it is; it stands for those behind it that are not told. */
export const urlEvent = 2
/** kind, from, to of the value of the outermost object's `link`, brackets included. */
export const linkEvent = 3
/** kind, from, to of the outermost object's `type`. */
export const typeEvent = 4
