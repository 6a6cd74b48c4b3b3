// Sockets to upstreams, as undici uses them, with less machinery between the kernel and undici's parser. Written for undici
// 8.12.4: it replaces what that version calls, and relies on what that version does at the end of an answer. Another
// version needs this file and lib/dispatcher/client-h1.js read side by side first (test/undici-version says so).
//
// - Reads. Node passes every read through a Readable: push, nextTick, 'readable', read(). Here undici's parser gets it at
//   once. What the parser gets is memory that is never written again, so nobody has to know how long a piece of it may be
//   kept, and no byte of one connection can show up in an answer of another: each connection reads into a buffer of its
//   own, and a read either is copied out of it, or takes the buffer along and the connection gets another one (read-memory).
// - Heads. A final head goes to the parser as it came. Informational ones end here (informational-heads).
// - Ends. undici completes an answer without Content-Length and chunks when its connection is reset, and when a TLS
//   connection ends without close_notify. Here both are errors before undici sees them (connection-end).
// - Writes. undici writes head and body as two pieces under cork(), which Node hands to the kernel through its slowest
//   path, because one is a string and one a Buffer, and after a walk through the Writable: its state, its buffer, a
//   nextTick for a callback that nobody gave. Small ones are joined into one Latin-1 string, which the kernel gets from
//   Node's stack, through Socket#_write, which is what the Writable itself calls in the end. Not with TLS: a TLS socket
//   takes one write at a time, and aborts the process at a second one.
// - References. undici calls unref() when a connection becomes idle and ref() when it is used again, so that an idle
//   connection does not keep a process alive. Our threads end by destroying their pools (worker.ts).
import type { Socket } from 'node:net'
import { buildConnector } from 'undici'
import { makeEndsHonest } from './connection-end.ts'
import { InformationalHeads } from './informational-heads.ts'
import { endRead, giveReadBuffer, keepRead } from './read-memory.ts'

/** A body that is larger goes the ordinary way: copying it would cost more than it saves. Bytes. */
const joinedBytesMax = 8192

export interface LeanSocket extends Socket {
  /** What was read and the parser has not yet taken; null outside of a read. */
  unread: Buffer | null
  /** A request was written, and of its answer no final head has begun yet. */
  awaitsHead: boolean
  readonly informationalHeads: InformationalHeads
  /** The head of a request whose body is still to come; empty when there is none. */
  unsentHead: string
  isCorked: boolean
}

export function createLeanConnector(
  options: buildConnector.BuildOptions
): buildConnector.connector {
  const onread = { buffer: giveReadBuffer, callback: receive }
  const connect = buildConnector({ ...options, onread } as buildConnector.BuildOptions)
  return (target, callback) =>
    connect(target, (...result) => {
      const [error, socket] = result
      if (error === null) {
        makeReadsLean(socket as LeanSocket)
        makeEndsHonest(socket)
        if (!('encrypted' in socket)) makeWritesLean(socket as LeanSocket)
        socket.ref = () => socket
        socket.unref = () => socket
      }
      callback(...result)
    })
}

/** Node calls it with what it has read. Returns whether to go on reading: not while the parser is paused. */
function receive(this: LeanSocket, length: number, buffer: Buffer): boolean {
  let goesOn = false
  try {
    const bytes = answerIn(this, keepRead(buffer, length))
    goesOn = bytes === null || hand(this, bytes)
  } catch (error) {
    // A bug. Thrown on, it would leave the connection with a buffer that may have been handed over.
    this.destroy(error as Error)
  }
  endRead(this, buffer, length)
  return goesOn
}

function answerIn(socket: LeanSocket, bytes: Buffer): Buffer | null {
  if (!socket.awaitsHead) return bytes
  const answer = socket.informationalHeads.skip(socket, bytes)
  socket.awaitsHead = answer === null
  return answer
}

/** To the parser, or behind what it left earlier: that it takes when it goes on. */
function hand(socket: LeanSocket, bytes: Buffer): boolean {
  const rest = socket.readableLength > 0 ? bytes : offer(socket, bytes)
  if (rest === null) return true
  socket.push(rest)
  return false
}

/** Returns what the parser did not take: all of it, while it is paused. */
function offer(socket: LeanSocket, bytes: Buffer): Buffer | null {
  socket.unread = bytes
  socket.emit('readable')
  const rest = socket.unread
  socket.unread = null
  return rest
}

function makeReadsLean(socket: LeanSocket): void {
  const { read, write } = socket
  const informationalHeads = new InformationalHeads()
  Object.assign(socket, { unread: null, awaitsHead: false, informationalHeads })
  socket.read = (size?: number) => {
    const { unread } = socket
    if (unread !== null) {
      socket.unread = null
      return unread
    }
    // read(0) is how Node itself asks the stream to read on, and to notice its end.
    return socket.readableLength === 0 && size !== 0 ? null : read.call(socket, size)
  }
  socket.write = (...args: unknown[]): boolean => {
    awaitHead(socket)
    return (write as Write).apply(socket, args)
  }
}

function awaitHead(socket: LeanSocket): void {
  socket.awaitsHead = true
  socket.informationalHeads.begin()
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
    awaitHead(socket)
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
