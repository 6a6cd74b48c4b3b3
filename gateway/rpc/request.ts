// One request object while it is scanned, and afterwards what is known of it. A request without a problem means the
// same to every node, whatever parser that node uses: each of the four members that JSON-RPC knows is there at most
// once, under exactly its name (scan.ts says why that matters), and has a type that the specification allows.
// JSON-RPC 2.0, section 4: https://www.jsonrpc.org/specification#request_object

/** One call of a body. Spans are byte offsets into the body. */
export interface RpcCall {
  /** Decoded as JSON.parse would read it; '' when malformed. */
  readonly method: string
  /** Raw bytes of the id: number, string or null. -1/-1: absent (a notification) or not usable. */
  readonly idStart: number
  readonly idEnd: number
  /** The whole item. */
  readonly start: number
  readonly end: number
  /** null, or why this item is not a request: a constant sentence for the client. */
  readonly problem: string | null
}

/**
 * Which values `jsonrpc` may have. `known`: also "1.0", "1.1" and the same as numbers, which bitcoind and its clients use
 * and no node reads otherwise.
 */
export type Versions = 'two' | 'known'

/** Why an item is not a request. Each sentence is constant: it goes to the client as it is. */
export const problems = {
  notObject: 'a request must be a JSON object',
  ambiguous:
    'jsonrpc, method, params and id may each be given once, and no other member may differ from them only in case',
  version: 'jsonrpc must be "2.0"',
  anyVersion: 'jsonrpc must be "1.0", "1.1" or "2.0"',
  method: 'method must be a string that is not empty',
  params: 'params must be an array or an object',
  id: 'id must be a string, a number or null'
} as const

const quote = 0x22
const backslash = 0x5c
const minus = 0x2d
const openBracket = 0x5b
const openBrace = 0x7b
const firstOfNull = 0x6e

/** Filled by `add`, member by member, and valid after `close`. The spans it is given are those of well-formed JSON. */
export class Request implements RpcCall {
  method = ''
  idStart = -1
  idEnd = -1
  readonly start: number
  end = -1
  problem: string | null = null
  private seen = 0
  private readonly versions: Versions

  constructor(start: number, versions: Versions) {
    this.start = start
    this.versions = versions
  }

  add(body: Buffer, nameStart: number, nameEnd: number, start: number, end: number): void {
    const member = memberAt(body, nameStart, nameEnd)
    if (member === members.none) return
    if (member === members.variant || (this.seen & member) !== 0) {
      this.problem = problems.ambiguous
      // Which of two ids the client waits for cannot be known.
      if (member === members.id) this.idStart = this.idEnd = -1
      return
    }
    this.seen |= member
    if (member === members.method) this.method = stringAt(body, start, end)
    else if (member === members.id) this.addId(body, start, end)
    else if (member === members.params) this.addParams(body[start])
    else this.addVersion(body, start, end)
  }

  close(end: number): void {
    this.end = end
    if (this.method === '') this.problem ??= problems.method
    if (this.problem !== null) this.method = ''
  }

  private addVersion(body: Buffer, start: number, end: number): void {
    if (isVersion2(body, start, end)) return
    if (this.versions === 'two') this.problem ??= problems.version
    else if (!isKnownVersion(body, start, end)) this.problem ??= problems.anyVersion
  }

  private addId(body: Buffer, start: number, end: number): void {
    const first = body[start] as number
    const isNumber = first === minus || (first >= 0x30 && first <= 0x39)
    if (first !== quote && !isNumber && first !== firstOfNull) {
      this.problem ??= problems.id
      return
    }
    this.idStart = start
    this.idEnd = end
  }

  private addParams(first: number | undefined): void {
    if (first !== openBracket && first !== openBrace && first !== firstOfNull) {
      this.problem ??= problems.params
    }
  }
}

const knownVersions = /^(?:"?1\.[01]"?|"?2\.0"?|1|2)$/

function isKnownVersion(body: Buffer, start: number, end: number): boolean {
  return end - start <= 5 && knownVersions.test(body.toString('latin1', start, end))
}

function isVersion2(body: Buffer, start: number, end: number): boolean {
  return equals(body, start, end, quoted.version2) || stringAt(body, start, end) === '2.0'
}

/** The value of the string at `start`, or '' when what is there is not a string. */
function stringAt(body: Buffer, start: number, end: number): string {
  if (body[start] !== quote) return ''
  return isPlain(body, start, end)
    ? body.toString('latin1', start + 1, end - 1)
    : JSON.parse(body.toString('utf8', start, end))
}

/** Whether the string is ASCII without escapes, so that its bytes are its characters. */
function isPlain(body: Buffer, start: number, end: number): boolean {
  for (let at = start; at < end; at++) {
    const byte = body[at] as number
    if (byte === backslash || byte >= 0x80) return false
  }
  return true
}

// Bits, so that `seen` is one number. `variant` equals a name only when case is ignored.
const members = { none: 0, jsonrpc: 1, method: 2, params: 4, id: 8, variant: 16 } as const
type Member = (typeof members)[keyof typeof members]
type Name = 'jsonrpc' | 'method' | 'params' | 'id'

const quoted = {
  jsonrpc: Buffer.from('"jsonrpc"'),
  method: Buffer.from('"method"'),
  params: Buffer.from('"params"'),
  id: Buffer.from('"id"'),
  version2: Buffer.from('"2.0"')
}
// The longest way to write a name of ours: "jsonrpc" with every letter as \u006a.
const nameBytesMax = 2 + 6 * 'jsonrpc'.length

function memberAt(body: Buffer, start: number, end: number): Member {
  if (equals(body, start, end, quoted.method)) return members.method
  if (equals(body, start, end, quoted.params)) return members.params
  if (equals(body, start, end, quoted.jsonrpc)) return members.jsonrpc
  if (equals(body, start, end, quoted.id)) return members.id
  return end - start > nameBytesMax ? members.none : memberCalled(stringAt(body, start, end))
}

function equals(body: Buffer, start: number, end: number, other: Buffer): boolean {
  if (end - start !== other.length) return false
  for (let place = 0; place < other.length; place++) {
    if (body[start + place] !== other[place]) return false
  }
  return true
}

// With `u`, ignoring case is simple Unicode case folding, which is also what Go's encoding/json does: `paramſ` (U+017F)
// is `params` to both.
const nameInAnyCase = /^(?:jsonrpc|method|params|id)$/iu
const nameExactly = /^(?:jsonrpc|method|params|id)$/

function memberCalled(name: string): Member {
  if (nameExactly.test(name)) return members[name as Name]
  return nameInAnyCase.test(name) ? members.variant : members.none
}
