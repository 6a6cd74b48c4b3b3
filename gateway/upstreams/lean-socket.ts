// Sockets to upstreams, as undici uses them, with less machinery between the kernel and undici's parser. What undici
// relies on stands under test in test/upstream-faults and upstream-connections.
//
// - Reads. Node allocates a buffer for every read and passes it through a Readable: push, nextTick, 'readable', read().
//   Here all sockets of a thread read into one static buffer, and undici's parser gets a view of it at once. A view is
//   only good until the next read, so whoever keeps a piece of an answer copies it (stages/dispatch.ts), and what the
//   parser does not take (it is paused) is copied and put into the ordinary Readable.
// - Writes. undici writes head and body as two pieces under cork(), which Node hands to the kernel through its slowest
//   path, because one is a string and one a Buffer, and after a walk through the Writable: its state, its buffer, a
//   nextTick for a callback that nobody gave. Small ones are joined into one Latin-1 string, which the kernel gets from
//   Node's stack, through Socket#_write, which is what the Writable itself calls in the end.
// - References. undici calls unref() when a connection becomes idle and ref() when it is used again, so that an idle
//   connection does not keep a process alive. Our threads end by destroying their pools (worker.ts).
import type { Socket } from 'node:net'
import { buildConnector } from 'undici'

/** Bytes read at once: with four times fewer reads than of 64 KiB, an answer of 1 MB costs 0.62 of the CPU time. */
const readBytesMax = 262_144
/** Of all sockets of the thread: what was read is taken before the next read. */
const readBuffer = Buffer.allocUnsafeSlow(readBytesMax)
/** A body that is larger goes the ordinary way: copying it would cost more than it saves. Bytes. */
const joinedBytesMax = 8192

interface LeanSocket extends Socket {
  /** What was read and not yet taken, a view of the static buffer; null outside of a read. */
  unread: Buffer | null
  /** Whether something lies in the ordinary Readable. */
  hasLeftovers: boolean
  /** The head of a request whose body is still to come; empty when there is none. */
  unsentHead: string
  isCorked: boolean
}

export function createLeanConnector(
  options: buildConnector.BuildOptions
): buildConnector.connector {
  const onread = {
    buffer: readBuffer,
    callback(this: LeanSocket, bytes: number) {
      return receive(this, readBuffer.subarray(0, bytes))
    }
  }
  const connect = buildConnector({ ...options, onread } as buildConnector.BuildOptions)
  return (target, callback) =>
    connect(target, (...result) => {
      const [error, socket] = result
      if (error === null) {
        makeReadsLean(socket as LeanSocket)
        makeWritesLean(socket as LeanSocket)
        socket.ref = () => socket
        socket.unref = () => socket
      }
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

function makeReadsLean(socket: LeanSocket): void {
  const { read, unshift } = socket
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
}

/**
 * The three calls that undici writes a request with: cork, write twice, uncork; or one write, where there is no body.
 * Only a request begins a write, and the one before it is out by then, so the two ways never get in each other's way.
 */
function makeWritesLean(socket: LeanSocket): void {
  const { write, cork, uncork } = socket
  const fail = (error?: Error | null) => {
    if (error) socket.destroy(error)
  }
  const send = (text: string) => socket._write(text, 'latin1', fail)
  socket.unsentHead = ''
  socket.isCorked = false
  socket.cork = () => {
    socket.isCorked = true
  }
  socket.write = (piece: string | Uint8Array, ...rest: unknown[]): boolean => {
    if (typeof piece === 'string' && rest[0] === 'latin1') {
      if (socket.isCorked) socket.unsentHead += piece
      else send(piece)
      return true
    }
    const head = socket.unsentHead
    socket.unsentHead = ''
    if (Buffer.isBuffer(piece) && piece.length <= joinedBytesMax) {
      send(head + piece.toString('latin1'))
      return true
    }
    cork.call(socket)
    write.call(socket, head, 'latin1')
    const hasRoom = (write as (...args: unknown[]) => boolean).call(socket, piece, ...rest)
    uncork.call(socket)
    return hasRoom
  }
  socket.uncork = () => {
    socket.isCorked = false
    if (socket.unsentHead === '') return
    send(socket.unsentHead)
    socket.unsentHead = ''
  }
}
