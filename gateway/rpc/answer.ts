// What a node's answer says of each call: that it has a result, that it failed and with which code, or nothing. Nodes and
// what stands before them also answer with pages of HTML, texts, cut JSON and nothing at all, in a 200 too, so an answer
// counts as one only when it has the outline of one: an object with `result` or `error`, for a batch an array of them.
//
// A short answer, as nearly all are, is walked member by member (0.16 µs for 45 B). Of a longer one the ends are looked at
// and the two names are searched for (0.2 µs), and it is parsed only where `"error"` is found: so one that is cut within, but
// just behind a brace, or that has `result` only deeper inside, passes for an answer. Most clients ask for compressed
// answers, and nodes such as geth compress even the shortest, so a short compressed one is opened for the look (3 to
// 20 µs) and passed on as it came. What is larger is not opened.
import { brotliDecompressSync, gunzipSync, inflateSync, zstdDecompressSync } from 'node:zlib'
import { byteAt, endOfString, endOfValue, skipSpace, startOfMemberValue } from './json.ts'
import type { Scan } from './scan.ts'

/** A larger answer is not parsed: that would hold up the thread. Bytes. */
const plainBytesMax = 262_144
/** A longer one is searched instead of walked: a walk takes 3 ns a byte. Bytes. */
const walkedBytesMax = 128
/** An error is short. Bytes, compressed and not. */
const compressedBytesMax = 4096
const openedBytesMax = 65_536

type Open = (answer: Buffer, options: { maxOutputLength: number }) => Buffer

const openers: ReadonlyMap<string, Open> = new Map<string, Open>([
  ['gzip', gunzipSync],
  ['x-gzip', gunzipSync],
  ['deflate', inflateSync],
  ['br', brotliDecompressSync],
  ['zstd', zstdDecompressSync]
])
const errorName = Buffer.from('"error"')
const resultName = Buffer.from('"result"')

const comma = 0x2c
const openBracket = 0x5b
const closeBracket = 0x5d
const openBrace = 0x7b
const closeBrace = 0x7d
const firstOfNull = 0x6e

/**
 * `missing`: an array of answers has none for this call. A number is the code of the JSON-RPC error, 0 where that is no
 * integer of 32 bits.
 */
export type Verdict = number | 'result' | 'missing'
/** By the index of the call. */
export type Verdicts = ReadonlyMap<number, Verdict>

export const isPlain = (encoding: string): boolean => encoding === '' || encoding === 'identity'

/**
 * The answer as text that can be searched; `unread` when it is too large, or compressed in a way that is not known;
 * `broken` when it is not what its Content-Encoding says.
 */
export function openAnswer(answer: Buffer, encoding: string): Buffer | 'unread' | 'broken' {
  if (isPlain(encoding)) return answer.length <= plainBytesMax ? answer : 'unread'
  const open = openers.get(encoding.toLowerCase())
  if (open === undefined || answer.length > compressedBytesMax) return 'unread'
  // A 204 or a 304 has no body to be compressed.
  if (answer.length === 0) return answer
  try {
    return open(answer, { maxOutputLength: openedBytesMax })
  } catch (error) {
    const isTooLarge = (error as { code?: unknown }).code === 'ERR_BUFFER_TOO_LARGE'
    return isTooLarge ? 'unread' : 'broken'
  }
}

/** What an answer to a single call is at first sight; `error` is to be confirmed by its verdict. */
export type Outline = 'result' | 'error' | 'neither'

export function outlineOf(opened: Buffer): Outline {
  if (opened.length <= walkedBytesMax) return outlineOfMembers(opened)
  if (!beginsAnswer(opened, false) || !endsAnswer(lastByteOf(opened, 0), false)) return 'neither'
  if (opened.includes(errorName)) return 'error'
  return opened.includes(resultName) ? 'result' : 'neither'
}

/** False is certain; true is a reason to read the verdicts. */
export const mayHoldError = (opened: Buffer): boolean => opened.includes(errorName)

/** Whether there are results for so many calls, at first sight, and nothing but results. */
export function holdsResults(opened: Buffer, count: number): boolean {
  if (!beginsAnswer(opened, true) || !endsAnswer(lastByteOf(opened, 0), true)) return false
  // A string: each search in a Buffer costs a call into C++, four times as much here; bench/stages/read-answer.
  const text = opened.toString('latin1')
  let at = 0
  for (let found = 0; found < count; found++) {
    at = text.indexOf('"result"', at) + resultName.length
    if (at < resultName.length) return false
  }
  return true
}

/** Whether bytes can begin an answer; true also for nothing but white space. */
export function beginsAnswer(bytes: Buffer, isBatch: boolean): boolean {
  const first = byteAt(bytes, skipSpace(bytes, 0))
  return first === 0 || first === (isBatch ? openBracket : openBrace)
}

/** @param last as `lastByteOf` gives it. */
export const endsAnswer = (last: number, isBatch: boolean): boolean =>
  last === (isBatch ? closeBracket : closeBrace)

/** The last byte that is not white space; `before` where there is none. */
export function lastByteOf(bytes: Buffer, before: number): number {
  for (let at = bytes.length - 1; at >= 0; at--) {
    const byte = bytes[at] as number
    if (byte > 0x20) return byte
  }
  return before
}

export const isBlank = (opened: Buffer): boolean => skipSpace(opened, 0) === opened.length

/** Of one whole object, without looking into its values. Some nodes send `"error": null` beside the result. */
function outlineOfMembers(opened: Buffer): Outline {
  const start = skipSpace(opened, 0)
  if (byteAt(opened, start) !== openBrace) return 'neither'
  let outline: Outline = 'neither'
  let at = skipSpace(opened, start + 1)
  for (;;) {
    const nameEnd = endOfString(opened, at)
    const value = startOfMemberValue(opened, nameEnd)
    const end = endOfValue(opened, value)
    if (end < 0) return 'neither'
    outline = withMember(outline, opened, at, nameEnd, value)
    const next = skipSpace(opened, end)
    if (byteAt(opened, next) !== comma) return isEndOfObject(opened, next) ? outline : 'neither'
    at = skipSpace(opened, next + 1)
  }
}

function withMember(
  outline: Outline,
  opened: Buffer,
  nameStart: number,
  nameEnd: number,
  value: number
): Outline {
  if (equals(opened, nameStart, nameEnd, errorName)) {
    return byteAt(opened, value) === firstOfNull ? outline : 'error'
  }
  const isResult = outline === 'neither' && equals(opened, nameStart, nameEnd, resultName)
  return isResult ? 'result' : outline
}

const isEndOfObject = (text: Buffer, at: number): boolean =>
  byteAt(text, at) === closeBrace && skipSpace(text, at + 1) === text.length

function equals(text: Buffer, start: number, end: number, name: Buffer): boolean {
  if (end - start !== name.length) return false
  for (let place = 1; place < name.length; place++) {
    if (text[start + place] !== name[place]) return false
  }
  return true
}

/**
 * @param isSent whether the call of that index was sent to the node: those that we answered ourselves may have the same id.
 * Null when it is no answer to these calls.
 */
export function readVerdicts(
  opened: Buffer,
  body: Buffer,
  scan: Scan,
  isSent: (index: number) => boolean
): Verdicts | null {
  const parsed = parse(opened)
  if (scan.isBatch && Array.isArray(parsed)) return verdictsOfArray(parsed, body, scan, isSent)
  const verdict = verdictOf(parsed)
  if (!scan.isBatch) return verdict === null ? null : new Map([[0, verdict]])
  // A batch that the node refuses as a whole may be answered with one error (JSON-RPC 2.0, section 6): each call failed.
  if (typeof verdict !== 'number') return null
  const sent = [...scan.calls.keys()].filter(isSent)
  return new Map(sent.map((index) => [index, verdict]))
}

/** An answer whose id is none of ours, as where the node could not read it, belongs to a call that no other answers. */
function verdictsOfArray(
  answers: readonly unknown[],
  body: Buffer,
  scan: Scan,
  isSent: (index: number) => boolean
): Verdicts | null {
  const verdicts = new Map<number, Verdict>()
  const places = placesById(scan, body, isSent)
  const strays: (number | 'result')[] = []
  for (const one of answers) {
    const verdict = verdictOf(one)
    if (verdict === null) continue
    const place = places.get(JSON.stringify((one as { id?: unknown }).id))?.shift()
    if (place === undefined) strays.push(verdict)
    else verdicts.set(place, verdict)
  }
  const isNone = verdicts.size === 0 && strays.length === 0
  const open = [...places.values()].flat().sort((one, other) => one - other)
  for (const place of open) verdicts.set(place, strays.shift() ?? 'missing')
  return isNone && open.length > 0 ? null : verdicts
}

function parse(text: Buffer): unknown {
  try {
    return JSON.parse(text.toString())
  } catch {
    return null
  }
}

function verdictOf(answer: unknown): number | 'result' | null {
  if (typeof answer !== 'object' || answer === null) return null
  const { error } = answer as { error?: unknown }
  if (error === undefined || error === null) return 'result' in answer ? 'result' : null
  const { code } = error as { code?: unknown }
  return typeof code === 'number' && (code | 0) === code ? code : 0
}

/** The indexes of the calls by their id, as JSON writes it; a client may use one id twice. */
function placesById(
  { calls }: Scan,
  body: Buffer,
  isSent: (index: number) => boolean
): Map<string, number[]> {
  const places = new Map<string, number[]>()
  for (const [index, { idStart, idEnd }] of calls.entries()) {
    if (idStart < 0 || !isSent(index)) continue
    const id = JSON.stringify(JSON.parse(body.toString('utf8', idStart, idEnd)))
    const known = places.get(id)
    if (known === undefined) places.set(id, [index])
    else known.push(index)
  }
  return places
}
