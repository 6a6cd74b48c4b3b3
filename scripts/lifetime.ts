// The life of a command that starts things and must end them: what was started last ends first, whatever the reason of
// the end is. The first Ctrl-C (or SIGTERM, or a terminal that closes) asks for an orderly end; a second one kills. What
// comes within half a second is the same one: Ctrl-C reaches us from the terminal and, once more, from npm.

export interface Lifetime {
  /** Aborted when the end has begun: work under way gives up. */
  readonly signal: AbortSignal
  /** Resolves with the name of the signal that asked for the end. */
  readonly asked: Promise<NodeJS.Signals>
  /** What to do at the end; the last one added is done first. */
  atEnd(stop: () => Promise<void> | void): void
  /** What a second signal does, at once and synchronously, before the process exits. */
  atKill(kill: () => void): void
  /** Does it all, once. A stop that fails does not keep the others from running; the first failure is thrown. */
  end(): Promise<void>
}

const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const
const exitCodeOfKill = 130
const sameSignalMs = 500

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
      if (nowMs - askedAtMs > sameSignalMs) {
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
