import { isRefusal } from './decision.ts'
import type { Refusal } from './decision.ts'
import type { FhirRequest } from './request.ts'
import { allow } from './steps/allow.ts'
import { bind } from './steps/bind.ts'
import type { Bound } from './steps/bind.ts'
import { scope } from './steps/scope.ts'
import type { LaunchView } from './view.ts'

/** allow → scope → bind: pure functions of the request, the launch and the mode. Each may narrow, each may refuse. */
export function decide(request: FhirRequest, view: LaunchView): Bound | Refusal {
  const permit = allow(request, view)
  if (isRefusal(permit)) return permit
  const covered = scope(permit, view)
  if (isRefusal(covered)) return covered
  return bind(covered, view)
}
