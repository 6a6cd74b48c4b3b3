// The method names that metrics may carry as a label and usage as a row. A client can send any name, and keeping each
// would let it fill our tables, and the memory of every Prometheus that scrapes us, with junk. So only the operator (by a
// weight) or a node vouches for a name: it is learned from the first answer that is a result, which no invented method
// ever gets.

/** What every method is called that is not known. The underscore keeps it apart from any real one. */
export const otherMethod = '_other'

export interface MethodNames {
  /** The name itself when it is known, always the same string, else `_other`. */
  nameOf(method: string): string
  /** Whether the name could become known: it looks like one, is not known yet, and there is room. */
  isNews(method: string): boolean
  /** Makes a name known when it is news. Returns whether it was. */
  learn(method: string): boolean
  /** Makes a name known that the operator has given a weight, beside those that are learned. */
  vouch(method: string): void
}

const plausibleName = /^[A-Za-z][A-Za-z0-9_.:/-]{0,63}$/

/** @param namesMax how many names can be learned, and so the label values that metrics can have; later ones stay `_other`. */
export function createMethodNames(namesMax = 256): MethodNames {
  // A name to itself: the string that is kept has its hash already, the client's has not.
  const names = new Map<string, string>()
  let learned = 0
  const isNews = (method: string) =>
    learned < namesMax && !names.has(method) && plausibleName.test(method)
  return {
    nameOf: (method) => names.get(method) ?? otherMethod,
    isNews,
    learn(method) {
      const news = isNews(method)
      if (news) {
        names.set(method, method)
        learned++
      }
      return news
    },
    vouch(method) {
      if (plausibleName.test(method)) names.set(method, method)
    }
  }
}
