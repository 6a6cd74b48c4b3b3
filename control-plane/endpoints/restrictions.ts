// What an endpoint may be restricted to: methods, origins of web pages, addresses. Null is anything; a list is exactly
// that, so an empty one is refused: it would mean nothing at all, which is what pausing is for.

import { isAddressBlock } from '../../drizzle/address-block.ts'
import { invalidFields } from '../errors.ts'

export interface Restrictions {
  allowedMethods: string[] | null
  allowedOrigins: string[] | null
  allowedIps: string[] | null
}

export interface RestrictionInput {
  allowed_methods?: string[] | null
  allowed_origins?: string[] | null
  allowed_ips?: string[] | null
}

export const noRestrictions: Restrictions = {
  allowedMethods: null,
  allowedOrigins: null,
  allowedIps: null
}

/** The restrictions after a change. Throws `validation_failed` with every entry that is wrong. */
export function changeRestrictions(current: Restrictions, change: RestrictionInput): Restrictions {
  const { allowed_methods, allowed_origins, allowed_ips } = change
  const problems = [
    ...findDoubles('allowed_methods', allowed_methods),
    ...findDoubles('allowed_origins', allowed_origins),
    ...findDoubles('allowed_ips', allowed_ips),
    ...findProblems('allowed_origins', allowed_origins, isOrigin, originHint),
    ...findProblems('allowed_ips', allowed_ips, isAddressBlock, addressHint)
  ]
  if (problems.length > 0) throw invalidFields(problems)
  return {
    allowedMethods: allowed_methods === undefined ? current.allowedMethods : allowed_methods,
    allowedOrigins: allowed_origins === undefined ? current.allowedOrigins : allowed_origins,
    allowedIps: allowed_ips === undefined ? current.allowedIps : allowed_ips
  }
}

const originHint =
  'must be an origin as browsers send it: scheme, host and port, in lower case and without a path, e.g. https://app.example.com'
const addressHint = 'must be an IP address or a CIDR block, e.g. 203.0.113.7 or 2001:db8::/32'

function findProblems(
  field: string,
  list: readonly string[] | null | undefined,
  isValid: (text: string) => boolean,
  detail: string
) {
  return (list ?? []).flatMap((text, index) =>
    isValid(text) ? [] : [{ pointer: `#/${field}/${index}`, detail }]
  )
}

function findDoubles(field: string, list: readonly string[] | null | undefined) {
  const seen = new Set<string>()
  return (list ?? []).flatMap((text, index) => {
    if (!seen.has(text)) {
      seen.add(text)
      return []
    }
    return [{ pointer: `#/${field}/${index}`, detail: 'is in the list already' }]
  })
}

function isOrigin(text: string): boolean {
  return /^https?:/.test(text) && URL.parse(text)?.origin === text
}
