// The public REST API, as any client would use it: the quick start seeds its demo through the front door.
import { Setback } from '../setback.ts'

const timeoutMs = 20_000

export interface RestClient {
  /** Throws RestFailure on any other status than 2xx. */
  get<T>(path: string): Promise<T>
  post<T>(path: string, body: unknown): Promise<T>
  patch<T>(path: string, body: unknown): Promise<T>
  /** Every item of a paginated list. */
  list<T>(path: string): Promise<T[]>
  /** The same client, logged in. */
  withToken(token: string): RestClient
}

export class RestFailure extends Setback {
  override name = 'RestFailure'
  readonly status: number
  constructor(status: number, message: string) {
    super(message)
    this.status = status
  }
}

export function createRestClient(baseUrl: string, signal: AbortSignal, token?: string): RestClient {
  const send = async (method: string, path: string, body?: unknown) => {
    const response = await fetch(`${baseUrl}${path}`, {
      method,
      headers: {
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        ...(token === undefined ? {} : { authorization: `Bearer ${token}` })
      },
      signal: AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)]),
      ...(body === undefined ? {} : { body: JSON.stringify(body) })
    })
    const text = await response.text()
    if (!response.ok) {
      throw new RestFailure(
        response.status,
        `${method} ${path} answered ${response.status}: ${text}`
      )
    }
    return JSON.parse(text)
  }
  return {
    get: (path) => send('GET', path),
    post: (path, body) => send('POST', path, body),
    patch: (path, body) => send('PATCH', path, body),
    async list(path) {
      const items = []
      let cursor: string | null = ''
      while (cursor !== null) {
        const query: string =
          cursor === '' ? '?limit=100' : `?limit=100&cursor=${encodeURIComponent(cursor)}`
        const page = await send('GET', `${path}${query}`)
        items.push(...page.data)
        cursor = page.has_more ? page.next_cursor : null
      }
      return items
    },
    withToken: (next) => createRestClient(baseUrl, signal, next)
  }
}
