// The life of a command that starts things and must end them: what was started last ends first, whatever the reason of
// the end is. The first Ctrl-C (or SIGTERM, or a terminal that closes) asks for an orderly end, and a repeat changes
// nothing: npm passes on what it gets, and a terminal or systemd sends the same to the whole group. Only a person who
// presses Ctrl-C again later kills. drizzle/shutdown.ts is the same for the two planes, which nothing may kill.

export interface Lifetime {
  /** Aborted when the end has begun: work under way gives up. */
  readonly signal: AbortSignal
  /** Resolves with the name of the signal that asked for the end. */
  readonly asked: Promise<NodeJS.Signals>
  /** What to do at the end; the last one added is done first. */
  atEnd(stop: () => Promise<void> | void): void
  /** What a Ctrl-C after the first does, at once and synchronously, before the process exits. */
  atKill(kill: () => void): void
  /** Does it all, once. A stop that fails does not keep the others from running; the first failure is thrown. */
  end(): Promise<void>
}

const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const
const exitCodeOfKill = 130
/** Copies of one Ctrl-C arrive within milliseconds; a person who presses it again has waited for longer. */
const sameSignalMs = 2000

export function createLifetime(clock: () => number = () => performance.now()): Lifetime {
  const controller = new AbortController()
  const stops: (() => Promise<void> | void)[] = []
  const kills: (() => void)[] = []
  let ending: Promise<void> | undefined

  const asked = new Promise<NodeJS.Signals>((resolve) => {
    let askedAtMs: number | undefined
    const ask = (name: NodeJS.Signals) => {
      const nowMs = clock()
      askedAtMs ??= nowMs
      if (name === 'SIGINT' && nowMs - askedAtMs > sameSignalMs) {
        for (const kill of kills) kill()
        process.exit(exitCodeOfKill)
      }
      controller.abort()
      resolve(name)
    }
    for (const name of signals) process.on(name, ask)
  })

  const endAll = async () => {
    controller.abort()
    const failures: unknown[] = []
    for (const stop of stops.reverse()) {
      try {
        await stop()
      } catch (error) {
        failures.push(error)
      }
    }
    if (failures.length > 0) throw failures[0]
  }

  return {
    signal: controller.signal,
    asked,
    atEnd(stop) {
      stops.push(stop)
    },
    atKill(kill) {
      kills.push(kill)
    },
    end() {
      ending ??= endAll()
      return ending
    }
  }
}
