// The memory that upstream connections are read into. It guarantees that whoever gets what was read may keep it for as long as
// he likes: that memory is never written again, by no connection. It is so by construction, without knowing what
// undici's parser keeps (views of a head or of trailers that are not complete) or what a stage of ours keeps:
//
// - Each connection has a buffer of its own, which only its own reads write to, and nobody gets a view of it while it is
//   that. A read that is small beside its buffer is copied out of it.
// - A large read is not copied: its buffer is handed over together with it, is from then on no connection's buffer, and
//   the connection gets another one. The garbage collector frees the old one when nobody holds a view of it any more.
//
// A connection has a small buffer, and a large one only while reads fill what it has: 256 idle connections of a thread
// hold 4 MB.
import type { Socket } from 'node:net'

/** A short answer in one read, and all that TLS gives at once. */
const smallBytes = 16_384
/** With four times fewer reads than of 64 KiB, an answer of 1 MB costs 0.62 of the CPU time. */
const largeBytes = 262_144
/** A read that fills so much of a large buffer takes it along: no view holds more than four times its own size. */
const handedOverBytesMin = largeBytes / 4

/** What the connection whose read has just ended reads into next; undefined: the same as before. */
let next: Buffer | undefined
let isAfterRead = false

/** Node asks this for a new connection, and right after each read. */
export function giveReadBuffer(): Buffer | undefined {
  if (!isAfterRead) return Buffer.allocUnsafeSlow(smallBytes)
  isAfterRead = false
  return next
}

/** What was read, as memory that is never written again. */
export function keepRead(buffer: Buffer, length: number): Buffer {
  const bytes = buffer.subarray(0, length)
  return length >= handedOverBytesMin ? bytes : Buffer.from(bytes)
}

/** Call at the very end of a read, whose result is to be kept: it chooses what Node reads into next. */
export function endRead(socket: Socket, buffer: Buffer, length: number): void {
  isAfterRead = true
  if (length >= handedOverBytesMin) next = Buffer.allocUnsafeSlow(largeBytes)
  else if (buffer.length === smallBytes)
    next = isLarge(socket, length) ? Buffer.allocUnsafeSlow(largeBytes) : undefined
  else next = length > smallBytes ? undefined : Buffer.allocUnsafeSlow(smallBytes)
}

/** Not with TLS, which gives one record of at most 16 KiB at a time. */
const isLarge = (socket: Socket, length: number): boolean =>
  length === smallBytes && !('encrypted' in socket)
