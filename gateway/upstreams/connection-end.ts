// How a connection to an upstream ended. An answer without Content-Length and chunks lasts until its connection ends, and is
// complete "unless an error was indicated by the underlying connection" (RFC 9112, section 8): by a reset, or with TLS by an
// end without close_notify, which anybody on the way can bring about. undici takes both for the end of such an answer.
// Here both become its own error for a connection that closed before it should have, before undici's listeners hear of it.
import type { Socket } from 'node:net'
import { constants } from 'node:os'
import { errors } from 'undici'

interface Handle {
  /** Whether Node has asked it to read. */
  reading?: boolean
  /** Returns 0, or why not. */
  readStart?(): number
  /** Of a TLS connection: the TCP connection below. */
  _parent?: { readStart(): number; readStop(): number }
}

export function makeEndsHonest(socket: Socket): void {
  const { destroy } = socket
  socket.destroy = (error?: Error) =>
    destroy.call(socket, isReset(error) ? cutShort('reset', error) : error)
  if ('encrypted' in socket) makeTlsEndsHonest(socket)
  else makeTcpEndsHonest(socket)
}

/**
 * libuv calls it an end when the last bytes and a reset arrive together: it sees that the connection is over, and does not
 * read on to learn how. So an end is believed when it comes a second time; a reset is told as one then.
 */
function makeTcpEndsHonest(socket: Socket): void {
  const { push } = socket
  let hasEnded = false
  socket.push = (bytes: unknown, encoding?: BufferEncoding) => {
    if (bytes === null && !hasEnded) {
      hasEnded = true
      const handle = (socket as unknown as { _handle: Handle | null })._handle
      if (handle?.readStart?.() === 0) return false
    }
    return push.call(socket, bytes, encoding)
  }
}

const isReset = (error?: Error): boolean => (error as NodeJS.ErrnoException)?.code === 'ECONNRESET'

/** With the code that undici and dispatch.ts know: nothing has come yet, or not all. */
function cutShort(how: string, cause?: Error): Error {
  const error = new errors.SocketError(`other side closed (${how})`)
  error.cause = cause
  return error
}

type Emit = (this: Socket, event: string, ...args: unknown[]) => boolean

/** The end is told when it arrives, and emitted when what was read before it has been taken. */
function makeTlsEndsHonest(socket: Socket): void {
  const { push, emit } = socket
  let isCut = false
  socket.push = (bytes: unknown, encoding?: BufferEncoding) => {
    if (bytes === null) isCut = !hasCloseNotify(socket)
    return push.call(socket, bytes, encoding)
  }
  socket.emit = (...args: Parameters<Emit>): boolean => {
    if (args[0] !== 'end' || !isCut) return (emit as Emit).apply(socket, args)
    socket.destroy(cutShort('without close_notify'))
    return true
  }
}

/**
 * Node ends a TLS stream alike when close_notify has come and when the TCP connection has ended, and does not tell which.
 * The latter stops libuv from reading that connection, the former does not. So, at that moment: a connection that is not
 * being read cannot have ended (Node has paused it, and close_notify was in what was read before), and one that is
 * being read answers EALREADY when it is asked to read. Where none of this can be found out the end is not believed.
 */
function hasCloseNotify(socket: Socket): boolean {
  const handle = (socket as unknown as { _handle: Handle | null })._handle
  if (handle?._parent === undefined) return false
  if (handle.reading === false) return true
  const result = handle._parent.readStart()
  if (result !== 0) return result === -constants.errno.EALREADY
  handle._parent.readStop()
  return false
}
