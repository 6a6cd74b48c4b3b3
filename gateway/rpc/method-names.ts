// The method names that metrics may carry as a label. A client can send any name, and a label for each would let it
// fill this table, and the memory of every Prometheus that scrapes us, with junk. So only a node vouches for a name: it
// is learned from the first answer to it that is a result, which no invented method ever gets.

/** What every method is called that is not known. The underscore keeps it apart from any real one. */
export const otherMethod = '_other'

export interface MethodNames {
  /** The name itself when it is known, else `_other`. */
  nameOf(method: string): string
  /**
   * Makes a name known when `answer`, the whole body of the answer to a single call of it, is a result. May be called
   * for every answer: for a known name, and when the table is full, it costs one look-up.
   */
  learn(method: string, answer: Buffer): void
}

// Parsing this much takes half a millisecond, once per name: a call that was answered with more teaches nothing.
const answerBytesMax = 65_536
const plausibleName = /^[A-Za-z][A-Za-z0-9_.:/-]{0,63}$/

/** @param namesMax how many names can become known, and so the label values that metrics can have; later ones stay `_other`. */
export function createMethodNames(namesMax = 256): MethodNames {
  const names = new Set<string>()
  return {
    nameOf: (method) => (names.has(method) ? method : otherMethod),
    learn(method, answer) {
      if (names.size >= namesMax || names.has(method)) return
      if (plausibleName.test(method) && isResult(answer)) names.add(method)
    }
  }
}

/** Some nodes send `"error": null` beside the result. */
function isResult(answer: Buffer): boolean {
  if (answer.length > answerBytesMax) return false
  try {
    const parsed: unknown = JSON.parse(answer.toString())
    if (typeof parsed !== 'object' || parsed === null || !('result' in parsed)) return false
    return !('error' in parsed) || parsed.error === null
  } catch {
    return false
  }
}
