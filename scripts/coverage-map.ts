// What tap counts coverage for, test by test (see .taprc). V8 counts every block that runs, which makes code that is all
// inner loop twenty times slower: a test that measures processor time, `…-cost.test.ts`, runs as production does.

/** Null is no coverage at all, an empty list what tap would do by itself. */
export default function coverageOf(testFile: string): string[] | null {
  return testFile.endsWith('-cost.test.ts') ? null : []
}
