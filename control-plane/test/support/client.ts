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
  /** What a browser in which somebody signed in keeps. */
  device: string | null = null

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
        ...this.#cookieHeader(),
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        ...headers
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) })
    })
    this.#keep(response.headers.getSetCookie())
    const text = await response.text()
    const isJson = text !== '' && /json/.test(response.headers.get('content-type') ?? '')
    return {
      status: response.status,
      headers: response.headers,
      body: isJson ? JSON.parse(text) : text
    }
  }

  /** Both names of each cookie: a server reads the one that fits how it is reached. */
  #cookieHeader(): Record<string, string> {
    const held = { sluice_refresh: this.cookie, sluice_device: this.device }
    const pairs = Object.entries(held)
      .filter(([, value]) => value !== null)
      .flatMap(([name, value]) => [`${name}=${value}`, `__Secure-${name}=${value}`])
    return pairs.length === 0 ? {} : { cookie: pairs.join('; ') }
  }

  #keep(cookies: readonly string[]): void {
    for (const cookie of cookies) {
      const [, name, value = ''] = /^(?:__Secure-)?(\w+)=([^;]*)/.exec(cookie) ?? []
      if (name === 'sluice_refresh') this.cookie = value || null
      if (name === 'sluice_device') this.device = value || null
    }
  }
}
