import { userInfo } from 'node:os'

/** Whoever runs the command, for its record. Under a number that no account has, as containers may run, it is nobody. */
export function accountName(): string | undefined {
  try {
    return userInfo().username
  } catch {
    return undefined
  }
}
