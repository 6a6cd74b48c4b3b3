// What the fuzzer of the answers of nodes takes from the environment.
export interface FuzzSettings {
  readonly seed: number
  readonly seconds: number
}

/** FUZZ_SEED: the seed of an earlier run, by default a fresh one. FUZZ_SECONDS: how long to go on, by default 30. */
export function fuzzSettings(): FuzzSettings {
  const { FUZZ_SEED: seed, FUZZ_SECONDS: seconds } = process.env
  return {
    seed: seed === undefined ? Math.floor(Math.random() * 2 ** 32) : Number(seed),
    seconds: seconds === undefined ? 30 : Number(seconds)
  }
}
