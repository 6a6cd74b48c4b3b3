// Every feature, put together: what each needs is named here once, in the order in which they build on each other.
import type { Logger } from 'pino'
import type { Database } from '../drizzle/client.ts'
import { newId } from '../drizzle/ids.ts'
import { createSecretBox } from '../drizzle/secret-box.ts'
import { createLiveAccess } from './analytics/live-access.ts'
import { createLiveFeed } from './analytics/live-feed.ts'
import { createUsageRepo } from './analytics/repo.ts'
import { createAnalyticsService } from './analytics/service.ts'
import { createAuditRepo } from './audit/repo.ts'
import { createAuditService } from './audit/service.ts'
import { createAttemptCounts } from './auth/attempt-counts.ts'
import { createPasswordHasher } from './auth/password-hasher.ts'
import { createAuthRepo } from './auth/repo.ts'
import { createAuthService } from './auth/service.ts'
import { createSignInGuard } from './auth/sign-in-guard.ts'
import { createChainRepo } from './chains/repo.ts'
import { createChainService } from './chains/service.ts'
import { createChangeRepo } from './changes/repo.ts'
import { createChangeService } from './changes/service.ts'
import type { Clock } from './clock.ts'
import type { Config } from './config.ts'
import { createKeyMint } from './endpoints/key-mint.ts'
import { createEndpointRepo } from './endpoints/repo.ts'
import { createEndpointService } from './endpoints/service.ts'
import type { Mailer } from './mail/mailer.ts'
import { createOrgRepo } from './orgs/repo.ts'
import { createOrgService } from './orgs/service.ts'
import type { Metrics } from './telemetry/metrics.ts'
import { createUserRepo } from './users/repo.ts'
import { createUserService } from './users/service.ts'

export interface ServiceDeps {
  config: Config
  database: Database
  mailer: Mailer
  metrics: Pick<Metrics, 'setLiveStreams'>
  log: Logger
  clock: Clock
}

export type Services = ReturnType<typeof createServices>

export function createServices({ config, database, mailer, metrics, log, clock }: ServiceDeps) {
  const secretBox = createSecretBox(config.secretKeys)
  const passwords = createPasswordHasher({ queueMax: config.passwordQueueMax })
  const keyMint = createKeyMint({ secretBox, storesSecrets: config.keyReveal })
  const tools = { clock, newId, config, secretBox, passwords, mailer, keyMint, metrics, log }

  const users = createUserService({ ...tools, repo: createUserRepo(database) })
  const counts = createAttemptCounts(database)
  const guard = createSignInGuard({ counts, secret: config.jwtSecrets[0] ?? '' })
  const auth = createAuthService({ ...tools, repo: createAuthRepo(database), users, guard })
  const orgs = createOrgService({ ...tools, repo: createOrgRepo(database) })
  const audit = createAuditService({ ...tools, repo: createAuditRepo(database), orgs, counts })
  const chains = createChainService({ ...tools, repo: createChainRepo(database) })
  const endpoints = createEndpointService({
    ...tools,
    repo: createEndpointRepo(database),
    orgs,
    chains
  })
  const changes = createChangeService({ ...tools, repo: createChangeRepo(database), orgs })
  const usage = createUsageRepo(database)
  const liveFeed = createLiveFeed({
    ...tools,
    repo: usage,
    filterAllowed: createLiveAccess({ auth, orgs })
  })
  const analytics = createAnalyticsService({ ...tools, repo: usage, orgs, chains, liveFeed })
  return { users, auth, audit, orgs, chains, endpoints, changes, analytics, secretBox }
}
