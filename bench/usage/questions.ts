// What a dashboard asks, as paths below an org and below one of its endpoints.
import type { SeededOrg } from './seed.ts'

export interface Question {
  name: string
  path: string
}

const dayMs = 86_400_000

export function questionsOf(org: SeededOrg, now: Date): Question[] {
  const ago = (days: number) => new Date(now.getTime() - days * dayMs).toISOString()
  const orgPath = `/v1/orgs/${org.id}`
  const [endpoint] = org.endpoints
  const [keyId] = endpoint?.keyIds ?? []
  if (endpoint === undefined || keyId === undefined) throw new Error('the org has no keys')
  const endpointPath = `${orgPath}/endpoints/${endpoint.id}`
  const series = (path: string, days: number, query: string) =>
    `${path}/usage?from=${ago(days)}&${query}`
  const questions: [string, string][] = [
    ['org: summary', `${orgPath}/usage/summary`],
    ['org: 24 h by minute', `${orgPath}/usage`],
    ['org: 7 days by hour', series(orgPath, 7, 'step=1h')],
    ['org: 60 days by hour', series(orgPath, 60, 'step=1h')],
    ['org: 90 days by day', series(orgPath, 90, 'step=1d')],
    ['org: 89 days of Berlin', series(orgPath, 88, 'time_zone=Europe/Berlin')],
    ['org: 89 days of Kolkata', series(orgPath, 88, 'time_zone=Asia/Kolkata')],
    ...['endpoint', 'key', 'method', 'chain', 'outcome'].flatMap((group): [string, string][] => [
      [`org: 6 h by minute and ${group}`, series(orgPath, 0.25, `step=1m&group_by=${group}`)],
      [`org: 24 h by minute and ${group}`, series(orgPath, 1, `step=1m&group_by=${group}`)],
      [`org: 7 days by hour and ${group}`, series(orgPath, 7, `step=1h&group_by=${group}`)],
      [`org: 30 days by hour and ${group}`, series(orgPath, 30, `step=1h&group_by=${group}`)],
      [`org: 90 days by day and ${group}`, series(orgPath, 90, `step=1d&group_by=${group}`)]
    ]),
    ['org: 24 h of a key', `${orgPath}/usage?key=${keyId}`],
    ['org: 30 days of a key by method', series(orgPath, 30, `key=${keyId}&group_by=method`)],
    ['org: 24 h of a method by endpoint', `${orgPath}/usage?method=eth_call&group_by=endpoint`],
    ['org: 24 h of a method by key', `${orgPath}/usage?method=eth_call&group_by=key`],
    ['org: 30 days of a method by key', series(orgPath, 30, 'method=eth_call&group_by=key')],
    ['org: 24 h of an outcome by key', `${orgPath}/usage?outcome=upstream_error&group_by=key`],
    ['org: 24 h by endpoint as CSV', `${orgPath}/usage?step=1m&group_by=endpoint&format=csv`],
    ['endpoint: summary', `${endpointPath}/usage/summary`],
    ['endpoint: 24 h by minute', `${endpointPath}/usage`],
    ['endpoint: 24 h by minute and method', `${endpointPath}/usage?step=1m&group_by=method`],
    ['endpoint: 24 h by minute and key', `${endpointPath}/usage?step=1m&group_by=key`],
    ['endpoint: 30 days by hour and method', series(endpointPath, 30, 'step=1h&group_by=method')],
    ['endpoint: 60 days by hour and key', series(endpointPath, 60, 'step=1h&group_by=key')],
    ['endpoint: 90 days by day', series(endpointPath, 90, 'step=1d')],
    ['endpoint: latest errors', `${endpointPath}/errors`]
  ]
  return questions.map(([name, path]) => ({ name, path }))
}
