// Sockets to upstreams, as undici uses them, with less machinery between the kernel and undici's parser. Reads, with the
// free connections of pool.ts, take 11 % off the CPU time of a short call, and views and large reads three quarters off
// that of an answer of 1 MB; writes take off another 3 to 5 %. What undici relies on stands under test in test/bytes,
// test/split-heads, test/upstream-faults, test/upstream-connections and test/upstream-tls.
//
// - Reads. Node allocates a buffer for every read and passes it through a Readable: push, nextTick, 'readable', read().
//   Here all sockets of a thread read into one static buffer, and undici's parser gets a view of it at once. A view is
//   only good until the next read, so whoever keeps a piece of an answer copies it (stages/respond.ts), and what the
//   parser does not take (it is paused) is copied and put into the ordinary Readable, behind what is there. The parser
//   itself keeps views of a head until that is complete: an answer whose head does not come whole is read as copies.
// - Writes. undici writes head and body as two pieces under cork(), which Node hands to the kernel through its slowest
//   path, because one is a string and one a Buffer, and after a walk through the Writable: its state, its buffer, a
//   nextTick for a callback that nobody gave. Small ones are joined into one Latin-1 string, which the kernel gets from
//   Node's stack, through Socket#_write, which is what the Writable itself calls in the end. Not with TLS: a TLS socket
//   takes one write at a time, and aborts the process at a second one.
// - References. undici calls unref() when a connection becomes idle and ref() when it is used again, so that an idle
//   connection does not keep a process alive. Our threads end by destroying their pools (worker.ts).
import type { Socket } from 'node:net'
import { buildConnector } from 'undici'

/** Bytes read at once: with four times fewer reads than of 64 KiB, an answer of 1 MB costs 0.62 of the CPU time. */
const readBytesMax = 262_144
/** Of all sockets of the thread: what was read is taken before the next read. */
const readBuffer = Buffer.allocUnsafeSlow(readBytesMax)
const endOfHead = Buffer.from('\r\n\r\n')
const statusOffset = 'HTTP/1.1 '.length
const one = 0x31
/** A body that is larger goes the ordinary way: copying it would cost more than it saves. Bytes. */
const joinedBytesMax = 8192

interface LeanSocket extends Socket {
  /** What was read and not yet taken, a view of the static buffer; null outside of a read. */
  unread: Buffer | null
  /** A request was written, and of its answer nothing was read yet. */
  awaitsAnswer: boolean
  /** Whether the parser may get views of this answer. */
  givesViews: boolean
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
        if (!('encrypted' in socket)) makeWritesLean(socket as LeanSocket)
        socket.ref = () => socket
        socket.unref = () => socket
      }
      callback(...result)
    })
}

/** Returns whether to go on reading: not while the parser is paused. */
function receive(socket: LeanSocket, bytes: Buffer): boolean {
  if (socket.awaitsAnswer) {
    socket.awaitsAnswer = false
    socket.givesViews = beginsWithWholeHead(bytes)
  }
  // Not before what was left there earlier: the parser takes it when it goes on.
  const rest = socket.readableLength > 0 ? bytes : offer(socket, bytes)
  if (rest === null) return true
  socket.push(Buffer.from(rest))
  return false
}

/** Returns what the parser did not take: all of it, while it is paused. */
function offer(socket: LeanSocket, bytes: Buffer): Buffer | null {
  socket.unread = socket.givesViews ? bytes : Buffer.from(bytes)
  socket.emit('readable')
  const rest = socket.unread
  socket.unread = null
  return rest
}

/** Of a final answer: an informational one (`HTTP/1.1 1xx`) has a further head behind it. */
function beginsWithWholeHead(bytes: Buffer): boolean {
  return bytes[statusOffset] !== one && bytes.includes(endOfHead)
}

function makeReadsLean(socket: LeanSocket): void {
  const { read, unshift, write } = socket
  socket.unread = null
  socket.awaitsAnswer = false
  socket.givesViews = false
  socket.read = (size?: number) => {
    const { unread } = socket
    if (unread !== null) {
      socket.unread = null
      return unread
    }
    // read(0) is how Node itself asks the stream to read on, and to notice its end.
    return socket.readableLength === 0 && size !== 0 ? null : read.call(socket, size)
  }
  socket.unshift = (bytes: Buffer) => unshift.call(socket, Buffer.from(bytes))
  socket.write = (...args: unknown[]): boolean => {
    socket.awaitsAnswer = true
    return (write as Write).apply(socket, args)
  }
}

/**
 * The three calls that undici writes a request with: cork, write twice, uncork; or one write, where there is no body.
 * While something waits in the Writable (a large request that was answered before it was out), all goes behind it.
 */
function makeWritesLean(socket: LeanSocket): void {
  const { cork, uncork } = socket
  const write = socket.write as Write
  const fail = (error?: Error | null) => {
    if (error) socket.destroy(error)
  }
  const send = (text: string): boolean => {
    if (socket.writableLength > 0) return write.call(socket, text, 'latin1')
    socket.awaitsAnswer = true
    socket._write(text, 'latin1', fail)
    return true
  }
  socket.unsentHead = ''
  socket.isCorked = false
  socket.cork = () => {
    socket.isCorked = true
  }
  socket.write = (piece: unknown, ...rest: unknown[]): boolean => {
    if (typeof piece === 'string' && rest[0] === 'latin1') {
      if (!socket.isCorked) return send(piece)
      socket.unsentHead += piece
      return true
    }
    const head = socket.unsentHead
    socket.unsentHead = ''
    if (Buffer.isBuffer(piece) && piece.length <= joinedBytesMax) {
      return send(head + piece.toString('latin1'))
    }
    cork.call(socket)
    write.call(socket, head, 'latin1')
    const hasRoom = write.call(socket, piece, ...rest)
    uncork.call(socket)
    return hasRoom
  }
  socket.uncork = () => {
    socket.isCorked = false
    const head = socket.unsentHead
    socket.unsentHead = ''
    if (head !== '') send(head)
  }
}

type Write = (this: Socket, ...args: unknown[]) => boolean
