// How long a key is served while nobody can be asked about it.
import t from 'tap'
import { classifyApiKey, newApiKey } from '../../drizzle/api-key.ts'
import type { Clock } from '../clock.ts'
import { CachedKey } from '../keys/cached-key.ts'
import { KeyCache } from '../keys/key-cache.ts'
import { unlimitedKey } from './support/key-record.ts'

const limits = {
  freshMs: 1000,
  staleMs: 10_000,
  keysMax: 10,
  unknownMax: 10,
  unknownMs: 1000,
  waitingMax: 10,
  unknownPerSecondMax: 10
}

t.test('a key is stale for so long, however often it is looked up in vain', async (t) => {
  const secret = newApiKey()
  let nowMs = 0
  let lookUps = 0
  let isAsked = false
  const clock: Clock = { nowMs: () => nowMs, nowNs: () => 0n, wallMs: () => 0 }
  const lookUp = () => {
    lookUps++
    isAsked = true
  }
  const cache = new KeyCache({ clock, limits, lookUp, classify: classifyApiKey })
  /** The database is away: a look-up fails. */
  const resolve = () => {
    const resolution = cache.resolve(secret, nowMs)
    if (resolution === null) cache.wait(secret, () => undefined)
    if (isAsked) cache.settle(secret, 'unavailable')
    isAsked = false
    return resolution
  }
  cache.settle(secret, unlimitedKey)
  for (nowMs = 0; nowMs < limits.freshMs + limits.staleMs; nowMs += 100) {
    t.ok(resolve() instanceof CachedKey, `${nowMs} ms`)
  }
  t.ok(lookUps > 5 && lookUps <= 11, `${lookUps} look-ups, one a second at most`)
  for (; nowMs < 20_000; nowMs += 100) t.equal(resolve(), null, `${nowMs} ms`)
  cache.settle(secret, unlimitedKey)
  t.ok(cache.resolve(secret, nowMs) instanceof CachedKey)
})
