// What a node's answer says of each call: that it failed, and with which code, or that it has a result. Nearly every
// answer is one result, and is told from an error by one search for `"error"` in its bytes (0.1 µs); only where that is
// found is it parsed. Most clients ask for compressed answers, and nodes such as geth compress even the shortest, so a
// short compressed one is opened for the look (3 to 20 µs) and passed on as it came.
import { brotliDecompressSync, gunzipSync, inflateSync } from 'node:zlib'
import type { Scan } from './scan.ts'

/** A larger answer is not looked into: parsing it would hold up the thread. Bytes. */
const plainBytesMax = 262_144
/** An error is short. Bytes, compressed and not. */
const compressedBytesMax = 4096
const openedBytesMax = 65_536

const openers: Readonly<Record<string, typeof gunzipSync>> = {
  gzip: gunzipSync,
  'x-gzip': gunzipSync,
  deflate: inflateSync,
  br: brotliDecompressSync
}
const errorName = Buffer.from('"error"')

/** By the index of the call: the code of the JSON-RPC error, 0 where it is no integer of 32 bits, or `result`. */
export type Verdicts = ReadonlyMap<number, number | 'result'>

/** The answer as text that can be searched; null when it is too large, or compressed in a way that is not known. */
export function openAnswer(answer: Buffer, encoding: string): Buffer | null {
  if (encoding === '' || encoding === 'identity') {
    return answer.length <= plainBytesMax ? answer : null
  }
  const open = openers[encoding]
  if (open === undefined || answer.length > compressedBytesMax) return null
  try {
    return open(answer, { maxOutputLength: openedBytesMax })
  } catch {
    return null
  }
}

/** False is certain; true is a reason to read the verdicts. */
export const mayHoldError = (opened: Buffer): boolean => opened.includes(errorName)

/**
 * @param isSent whether the call of that index was sent to the node: those that we answered ourselves may have the same id.
 * A call that the answer does not mention has no verdict.
 */
export function readVerdicts(
  opened: Buffer,
  body: Buffer,
  scan: Scan,
  isSent: (index: number) => boolean
): Verdicts {
  const verdicts = new Map<number, number | 'result'>()
  const parsed = parse(opened)
  if (!scan.isBatch) {
    const verdict = verdictOf(parsed)
    if (verdict !== null) verdicts.set(0, verdict)
    return verdicts
  }
  // Some nodes answer a batch that they refuse as a whole with one error.
  const answers = Array.isArray(parsed) ? parsed : []
  const places = placesById(scan, body, isSent)
  for (const one of answers) {
    const verdict = verdictOf(one)
    const place = places.get(JSON.stringify(one?.id))?.shift()
    if (verdict !== null && place !== undefined) verdicts.set(place, verdict)
  }
  return verdicts
}

function parse(text: Buffer): unknown {
  try {
    return JSON.parse(text.toString())
  } catch {
    return null
  }
}

/** Some nodes send `"error": null` beside the result. */
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
