// Sockets to upstreams, as undici uses them, with less machinery between the kernel and undici's parser. With the stack
// of free connections in pool.ts it takes 11 % off the CPU time of a request (medians of 8 alternating rounds in one run,
// single call, 64 connections). What undici relies on stands under test in test/upstream-faults and upstream-connections.
//
// - Reads. Node allocates a buffer for every read and passes it through a Readable: push, nextTick, 'readable', read().
//   Here all sockets of a thread read into one static buffer, and undici's parser gets a view of it at once. A view is
//   only good until the next read, so whoever keeps a piece of an answer copies it (stages/dispatch.ts), and what the
//   parser does not take (it is paused) is copied and put into the ordinary Readable.
// - Writes. undici writes head and body as two pieces under cork(), which Node hands to the kernel through its slowest
//   path, because one is a string and one a Buffer. Small ones are joined and written as one.
// - References. undici calls unref() when a connection becomes idle and ref() when it is used again, so that an idle
//   connection does not keep a process alive. Our threads end by destroying their pools (worker.ts).
import type { Socket } from 'node:net'
import { buildConnector } from 'undici'

/** Bytes read at once. */
const readBytesMax = 65_536
/** Pieces that together are larger are written as they are: copying them would cost more than it saves. Bytes. */
const joinedBytesMax = 16_384

interface Piece {
  readonly chunk: Buffer | string
  readonly encoding: BufferEncoding
}

interface LeanSocket extends Socket {
  /** What was read and not yet taken, a view of the static buffer; null outside of a read. */
  unread: Buffer | null
  /** Whether something lies in the ordinary Readable. */
  hasLeftovers: boolean
}

export function createLeanConnector(
  options: buildConnector.BuildOptions
): buildConnector.connector {
  const buffer = Buffer.allocUnsafeSlow(readBytesMax)
  const onread = {
    buffer,
    callback(this: LeanSocket, bytes: number) {
      return receive(this, buffer.subarray(0, bytes))
    }
  }
  const connect = buildConnector({ ...options, onread } as buildConnector.BuildOptions)
  return (target, callback) =>
    connect(target, (...result) => {
      const [error, socket] = result
      if (error === null) makeLean(socket as LeanSocket)
      callback(...result)
    })
}

/** Returns whether to go on reading: not while the parser is paused. */
function receive(socket: LeanSocket, bytes: Buffer): boolean {
  socket.unread = bytes
  socket.emit('readable')
  const rest = socket.unread
  if (rest === null) return true
  socket.unread = null
  socket.unshift(rest)
  return false
}

function makeLean(socket: LeanSocket): void {
  const { read, unshift, _writev: writeSeparately } = socket
  socket.unread = null
  socket.hasLeftovers = false
  socket.read = (size?: number) => {
    const { unread } = socket
    if (unread !== null) {
      socket.unread = null
      return unread
    }
    // read(0) is how Node itself asks the stream to notice its end.
    if (!socket.hasLeftovers && size !== 0) return null
    const piece = read.call(socket, size)
    if (piece === null) socket.hasLeftovers = false
    return piece
  }
  socket.unshift = (bytes: Buffer) => {
    socket.hasLeftovers = true
    unshift.call(socket, Buffer.from(bytes))
  }
  socket._writev = (pieces: Piece[], callback) => {
    const joined = join(pieces)
    if (joined !== null) socket._write(joined, 'buffer' as BufferEncoding, callback)
    else writeSeparately?.call(socket, pieces, callback)
  }
  socket.ref = () => socket
  socket.unref = () => socket
}

/** The pieces in one buffer, or null when they are too large for that. Strings are Latin-1, as undici writes heads. */
function join(pieces: readonly Piece[]): Buffer | null {
  let bytes = 0
  for (const { chunk, encoding } of pieces) {
    if (typeof chunk === 'string' && encoding !== 'latin1') return null
    bytes += chunk.length
  }
  if (bytes > joinedBytesMax) return null
  const joined = Buffer.allocUnsafe(bytes)
  let at = 0
  for (const { chunk } of pieces) {
    if (typeof chunk === 'string') joined.write(chunk, at, 'latin1')
    else joined.set(chunk, at)
    at += chunk.length
  }
  return joined
}
