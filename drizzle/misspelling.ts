// Misspelt settings. A variable that no process reads is nobody's business, unless it was clearly meant for one of ours: a
// limit that was written with a typo would otherwise silently not be there. It counts as meant for us when it begins with
// SLUICE_, or when it differs from one of our names that is not set itself by at most two letters. Short names are left
// out, because they are near to those of other programs (NODE_ID and NODE_ENV), so a foreign variable never fails a start.
import { settingNames } from './setting-names.ts'

const ownPrefix = 'SLUICE_'
const nameLengthMin = 11
const lettersMax = 2
/** What docker and Kubernetes tell each container of a service that is called `sluice` or `gateways`. */
const serviceLink = /_(SERVICE_HOST|SERVICE_PORT(_\w+)?|PORT_\d+_(TCP|UDP)(_\w+)?)$/

type Environment = Readonly<Record<string, string | undefined>>

/** One sentence for each variable that seems to be a misspelt setting. */
export function findMisspellings(env: Environment): string[] {
  const known = new Set(settingNames.flatMap((name) => [name, `${name}_FILE`]))
  return Object.keys(env)
    .filter((name) => env[name] && !known.has(name) && !isServiceLink(name, env[name]))
    .flatMap((name) => {
      const meant = [...known]
        .filter((candidate) => !isSet(env, candidate))
        .find((candidate) => isNear(name.toUpperCase(), candidate))
      if (meant !== undefined) return [`${name} is no setting: did you mean ${meant}?`]
      return name.startsWith(ownPrefix) ? [`${name} is no setting: .env.example has them all`] : []
    })
}

function isServiceLink(name: string, value = ''): boolean {
  return serviceLink.test(name) || /^(tcp|udp):\/\//.test(value)
}

function isSet(env: Environment, name: string): boolean {
  const bare = name.replace(/_FILE$/, '')
  return Boolean(env[bare] || env[`${bare}_FILE`])
}

function isNear(name: string, candidate: string): boolean {
  if (candidate.length < nameLengthMin) return false
  if (Math.abs(name.length - candidate.length) > lettersMax) return false
  return distance(name, candidate) <= lettersMax
}

/** How many letters have to be added, left out, replaced or swapped with their neighbour. */
function distance(from: string, to: string): number {
  let beforeLast: number[] = []
  let last = Array.from({ length: to.length + 1 }, (_, index) => index)
  for (let i = 1; i <= from.length; i++) {
    const row = [i]
    for (let j = 1; j <= to.length; j++) {
      const isSame = from[i - 1] === to[j - 1]
      const isSwap = i > 1 && j > 1 && from[i - 1] === to[j - 2] && from[i - 2] === to[j - 1]
      row[j] = Math.min(
        (last[j] ?? 0) + 1,
        (row[j - 1] ?? 0) + 1,
        (last[j - 1] ?? 0) + (isSame ? 0 : 1),
        isSwap ? (beforeLast[j - 2] ?? 0) + 1 : Infinity
      )
    }
    beforeLast = last
    last = row
  }
  return last[to.length] ?? 0
}
