// A REST client as a program would write one: fetch, an access token, and the one cookie that the API sets.

export interface Answer {
  status: number
  headers: Headers
  // biome-ignore lint/suspicious/noExplicitAny: the tests are what checks its shape
  body: any
}

export class Client {
  readonly url: string
  readonly email: string
  readonly password: string
  token: string | null = null
  cookie: string | null = null

  constructor(url: string, email = '', password = 'correct horse battery') {
    this.url = url
    this.email = email
    this.password = password
  }

  async login(): Promise<Answer> {
    const answer = await this.post('/v1/auth/login', {
      email: this.email,
      password: this.password
    })
    this.token = answer.body.access_token ?? null
    return answer
  }

  get(path: string, headers: Record<string, string> = {}): Promise<Answer> {
    return this.send('GET', path, undefined, headers)
  }
  post(path: string, body?: unknown, headers: Record<string, string> = {}): Promise<Answer> {
    return this.send('POST', path, body, headers)
  }
  patch(path: string, body: unknown): Promise<Answer> {
    return this.send('PATCH', path, body)
  }
  delete(path: string): Promise<Answer> {
    return this.send('DELETE', path)
  }

  async send(
    method: string,
    path: string,
    body?: unknown,
    headers: Record<string, string> = {}
  ): Promise<Answer> {
    const response = await fetch(this.url + path, {
      method,
      headers: {
        ...(this.token === null ? {} : { authorization: `Bearer ${this.token}` }),
        ...(this.cookie === null ? {} : { cookie: `sluice_refresh=${this.cookie}` }),
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        ...headers
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) })
    })
    const set = response.headers
      .getSetCookie()
      .find((cookie) => cookie.startsWith('sluice_refresh='))
    if (set !== undefined) this.cookie = set.split(';')[0]?.split('=')[1] || null
    const text = await response.text()
    const isJson = text !== '' && /json/.test(response.headers.get('content-type') ?? '')
    return {
      status: response.status,
      headers: response.headers,
      body: isJson ? JSON.parse(text) : text
    }
  }
}
