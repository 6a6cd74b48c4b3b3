// The end of a process that must lose nothing, however often it is asked to end. A stop signal rarely comes once: npm
// passes on what it gets, and a terminal's Ctrl-C or systemd sends the same to the whole group. So the handlers stay from
// the first line of the process to its last, the first signal begins the one orderly end, and a repeat changes nothing.
// Only a person who presses Ctrl-C again later may hasten it: `hurry` is aborted then, and the end goes on, in order.
// It lives beside the database client because what must not be lost is what still has to be written there.

export interface StopReason {
  readonly signal?: NodeJS.Signals
  /** A bug: thrown or rejected where nobody caught it. */
  readonly error?: unknown
}

export interface Stop {
  /** Ends everything; what it rejects with is logged, and the exit code is then 1. */
  readonly stop: (reason: StopReason, hurry: AbortSignal) => Promise<void>
  /** After so long the process is killed, whatever still holds it. Milliseconds. */
  readonly timeoutMs: number
  readonly log: ShutdownLog
}

export interface ShutdownLog {
  info(detail: object, message: string): void
  fatal(detail: object, message: string): void
}

export interface Shutdown {
  /** Whether the end has been asked for. */
  readonly isAsked: boolean
  /** Asks for the end, as a signal does. `exitCode` is that of the process, whoever else asks. */
  ask(reason: StopReason, exitCode?: number): void
  /** Says how to end. When the end was asked for before, it begins now. */
  arm(stop: Stop): void
}

/** SIGUSR2 is what file watchers send. SIGUSR1 is Node's own: it opens the debugger. */
export const stopSignals = ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGQUIT', 'SIGUSR2'] as const
/** Copies of one Ctrl-C arrive within milliseconds; a person who presses it again has waited for longer. */
const hurryAfterMs = 2000

/** @param host what signals come from; a parameter for the test of what cannot be sent to a process. */
export function createShutdown(
  nowMs: () => number = () => performance.now(),
  host: Pick<NodeJS.Process, 'on' | 'exit' | 'kill' | 'pid' | 'exitCode'> = process
): Shutdown {
  const hurry = new AbortController()
  let armed: Stop | undefined
  let first: StopReason | undefined
  let firstAtMs = 0

  function ask(reason: StopReason, exitCode?: number): void {
    if (exitCode !== undefined) host.exitCode = exitCode
    if (reason.error !== undefined) report(reason.error)
    if (first !== undefined) {
      if (reason.signal === 'SIGINT' && nowMs() - firstAtMs >= hurryAfterMs) hurry.abort()
      return
    }
    first = reason
    firstAtMs = nowMs()
    if (armed !== undefined) void end(armed, reason)
  }

  function report(error: unknown): void {
    host.exitCode ??= 1
    if (armed !== undefined) {
      armed.log.fatal({ err: error }, 'a bug ends the process')
      return
    }
    // Nothing has been started that could lose anything, and nothing is there yet to log with.
    process.stderr.write(`${error instanceof Error ? error.stack : String(error)}\n`)
    host.exit(host.exitCode)
  }

  async function end({ stop, timeoutMs, log }: Stop, reason: StopReason): Promise<void> {
    log.info({ signal: reason.signal }, 'stopping')
    // Not process.exit: threads that still run would abort it.
    setTimeout(() => {
      log.fatal({ timeout_ms: timeoutMs }, 'the orderly end takes too long: killed')
      host.kill(host.pid, 'SIGKILL')
    }, timeoutMs).unref()
    try {
      await stop(reason, hurry.signal)
    } catch (error) {
      log.fatal({ err: error }, 'the orderly end failed')
      host.exitCode ??= 1
    }
    log.info({}, 'stopped')
    host.exit(host.exitCode ?? 0)
  }

  for (const signal of stopSignals) host.on(signal, () => ask({ signal }))
  host.on('uncaughtException', (error) => ask({ error }))
  host.on('unhandledRejection', (error) => ask({ error: error ?? new Error('no reason given') }))

  return {
    get isAsked() {
      return first !== undefined
    },
    ask,
    arm(stop) {
      armed = stop
      if (first !== undefined) void end(stop, first)
    }
  }
}
