// Answers of a node made from a seeded generator: legal ones in every form that HTTP/1.1 has, and ones that are broken, cut
// or followed by what nobody asked for. What an answer looks like depends on the seed and its request's number alone.

export interface Random {
  /** From 0 to below `limit`, whole. */
  below(limit: number): number
  chance(probability: number): boolean
  pick<T>(values: readonly T[]): T
}

/** mulberry32. */
export function createRandom(seed: number): Random {
  let state = seed >>> 0
  const next = () => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
  const below = (limit: number) => Math.floor(next() * limit)
  return {
    below,
    chance: (probability) => next() < probability,
    pick: <T>(values: readonly T[]) => values[below(values.length)] as T
  }
}

/** Stands in every header and all over the body of the answer to one request of one tenant, and nowhere else. */
export const markerOf = (tenant: number, request: number): string =>
  `[t${String(tenant).padStart(2, '0')}r${String(request).padStart(7, '0')}]`

export const anyMarker = /t\d\dr\d{7}/g

export type Ending = 'keep' | 'close' | 'cut' | 'reset'

export interface FuzzAnswer {
  readonly kind: string
  readonly status: number
  /** Those that the client gets as well. */
  readonly headers: readonly (readonly [name: string, value: string])[]
  readonly body: string
  /** Sent completely and legally: the client must get exactly this. */
  readonly isWhole: boolean
  /** What the node writes, one after another. */
  readonly pieces: readonly string[]
  /** What it does to its connection then. `cut` ends TCP only. */
  readonly ending: Ending
}

export interface AnswerWish {
  readonly marker: string
  /** Of a JSON-RPC call; null for REST. */
  readonly id: string | null
  readonly maySendSurplus: boolean
}

const statuses = [200, 200, 200, 201, 206, 404, 409, 422, 204, 304]
const bodilessStatuses: ReadonlySet<number> = new Set([204, 304])
const lengthMaxima = [1, 40, 300, 4000, 20_000, 70_000, 300_000, 600_000]
const faults = [
  'cut',
  'reset',
  'broken head',
  'broken chunk',
  'none',
  'none',
  'none',
  'none'
] as const
/** A read of the gateway takes at least this: what is written at once is then read at once. Bytes. */
const oneReadBytes = 12_000

type Framing = 'length' | 'chunks' | 'close'

export function makeAnswer(random: Random, wish: AnswerWish): FuzzAnswer {
  const status = wish.id === null ? random.pick(statuses) : 200
  const isBodiless = bodilessStatuses.has(status)
  const body = isBodiless ? '' : makeBody(random, wish)
  const framing: Framing = isBodiless
    ? 'length'
    : random.pick(['length', 'length', 'chunks', 'close'])
  const headers = makeHeaders(random, wish)
  const fault = random.pick(faults)
  const before = makePrefix(random)
  const lines = headers.map(([name, value]) => `${name}: ${value}`)
  if (!isBodiless) lines.push(framingLine(framing, body))
  const statusLine = `HTTP/1.1 ${status} ${random.pick(['OK', 'Whatever it is', ''])}`
  const whole = [statusLine, ...lines]
  if (fault === 'broken head') breakHead(random, whole)
  const head = `${before}${whole.join('\r\n')}\r\n\r\n`
  const breaksChunk = fault === 'broken chunk' && framing === 'chunks' && body !== ''
  const sent = framing === 'chunks' ? inChunks(random, wish.marker, body, breaksChunk) : body
  const ends = endingOf(random, fault, framing)
  const text = head + sent
  const isCut = ends === 'cut' || ends === 'reset'
  const cutText = isCut ? text.slice(0, cutPoint(random, head.length, text.length)) : text
  const pieces = inPieces(random, cutText, head.length)
  const surplus =
    wish.maySendSurplus && ends === 'keep' && text.length < oneReadBytes && random.chance(0.3)
      ? makeSurplus(random, wish.marker)
      : ''
  if (surplus !== '') pieces.push(`${pieces.pop() ?? ''}${surplus}`)
  const isWhole = !isCut && !breaksChunk && fault !== 'broken head' && surplus === ''
  const kind = `${status} ${framing} ${body.length} bytes, ${fault}, ${ends}, surplus ${surplus.length}`
  return { kind, status, headers, body, isWhole, pieces, ending: ends }
}

function framingLine(framing: Framing, { length }: string): string {
  if (framing === 'close') return 'Connection: close'
  return framing === 'chunks' ? 'Transfer-Encoding: chunked' : `Content-Length: ${length}`
}

function endingOf(random: Random, fault: string, framing: Framing): Ending {
  if (fault === 'reset') return 'reset'
  // An answer that lasts until its connection ends is shorter and complete then.
  if (fault === 'cut') return framing === 'close' ? 'reset' : random.pick(['cut', 'cut', 'reset'])
  return framing === 'close' ? 'close' : 'keep'
}

function makeBody(random: Random, { marker, id }: AnswerWish): string {
  const length = random.chance(0.1) ? 0 : random.below(random.pick(lengthMaxima)) + 1
  const text = marker.repeat(Math.ceil(length / marker.length)).slice(0, length)
  return id === null ? text : `{"jsonrpc":"2.0","id":${id},"result":"${text}"}`
}

function makeHeaders(random: Random, { marker, id }: AnswerWish): [string, string][] {
  const headers: [string, string][] = [['x-marker', marker]]
  const more = random.below(4)
  for (let i = 0; i < more; i++) headers.push([`x-more-${i}`, marker.repeat(random.below(20) + 1)])
  if (random.chance(0.3)) headers.push(['etag', `"${marker}"`])
  headers.push(['content-type', id === null ? 'text/plain' : 'application/json'])
  return headers
}

/** Line breaks and informational heads, all of which a client skips. */
function makePrefix(random: Random): string {
  let prefix = ''
  while (random.chance(0.3)) {
    prefix += random.pick(['\r\n', '\n', '\r\n\r\n'])
    if (random.chance(0.7)) {
      const status = random.pick(['100 Continue', '102 Processing', '103 Early Hints', '199 Odd'])
      prefix += `HTTP/1.1 ${status}\r\n${random.pick(['', 'Link: </a>\r\n', 'X-Info: 1\r\nX-Other: 2\r\n'])}\r\n`
    }
  }
  return prefix
}

function breakHead(random: Random, lines: string[]): void {
  const place = random.below(lines.length - 1) + 1
  const how = random.below(7)
  if (how === 0) lines[0] = 'HTTP/1.1 101 Switching Protocols'
  else if (how === 1)
    lines[0] = random.pick(['HTTP/2.0 200 OK', 'HTP/1.1 200 OK', '', ' HTTP/1.1 200'])
  else if (how === 2) lines.splice(place, 0, 'no colon at all')
  else if (how === 3) lines.splice(place, 0, 'x-odd: a\rb')
  else if (how === 4) lines.splice(place, 0, 'x-odd: a\0b')
  else if (how === 5) lines.splice(place, 0, ': no name')
  else lines.unshift('\rHTTP/1.1 1')
}

function inChunks(random: Random, marker: string, body: string, isBroken: boolean): string {
  const sizeMax = Math.max(1, random.pick([7, 500, 20_000, 200_000]), body.length / 200)
  let text = ''
  for (let at = 0; at < body.length; ) {
    const piece = body.slice(at, at + random.below(sizeMax) + 1)
    const extension = random.pick(['', '', ';a=b', `;name="${marker}"`])
    text += `${piece.length.toString(16)}${extension}\r\n${piece}\r\n`
    at += piece.length
    if (isBroken && (at >= body.length || random.chance(0.3))) return `${text}zz\r\nno chunk\r\n`
  }
  const trailers = random.pick(['', '', `X-Trailer: ${marker}\r\n`, `A: ${marker}\r\nB: 2\r\n`])
  return `${text}0\r\n${trailers}\r\n`
}

const cutPoint = (random: Random, headLength: number, length: number): number =>
  random.below(random.chance(0.4) ? headLength : length)

function inPieces(random: Random, text: string, headLength: number): string[] {
  const cuts = new Set<number>()
  const how = random.below(4)
  // Every byte of the head by itself; a few places in the head; anywhere.
  if (how === 0 && headLength < 500) for (let at = 1; at <= headLength; at++) cuts.add(at)
  if (how === 1) for (let i = random.below(4); i >= 0; i--) cuts.add(random.below(headLength))
  if (how >= 1 && random.chance(0.6))
    for (let i = random.below(6); i >= 0; i--) cuts.add(random.below(text.length + 1))
  const places = [...cuts, text.length].filter((at) => at <= text.length).sort((a, b) => a - b)
  return places.map((at, i) => text.slice(places[i - 1] ?? 0, at)).filter((piece) => piece !== '')
}

/** Nobody asked for it: line breaks, garbage, or a whole answer. */
function makeSurplus(random: Random, marker: string): string {
  const answer = `HTTP/1.1 200 OK\r\nX-Marker: ${marker}\r\nContent-Length: 13\r\n\r\n${marker}`
  return random.pick([
    'garbage',
    marker,
    answer,
    answer + answer,
    answer.slice(0, 30),
    `\r\n${answer}`
  ])
}
