// Reads the TAP of a whole test run and counts tests. A test is what has a name of its own and no tests inside: a leaf
// of the tree of subtests. Where a parent fails and none of its tests did (a file that crashed, timed out or exited with
// an error after its last test), the parent itself counts as a failed one, so that nothing that went wrong is lost.
import { EventEmitter } from 'node:events'
import { Parser } from 'tap-parser'

export interface Tally {
  passed: number
  failed: number
  skipped: number
}

export interface FileResult extends Tally {
  name: string
  ms: number
  /** What went wrong: the path of names to the test, and the diagnostics. */
  failures: Failure[]
}

export interface Failure {
  path: string[]
  diagnostics: unknown
}

interface TestPoint {
  ok: boolean
  name: string
  skip?: string | true | false
  todo?: string | true | false
  time?: number | null
  diag?: unknown
}

interface Branch extends Tally {
  failures: Failure[]
  /** Subtests whose own test point has not come yet. */
  open: Branch[]
  hasSubtests: boolean
  /** Assertions of its own that failed. */
  points: Failure[]
}

/** A writable end for TAP. Emits `file` with a FileResult for each test file and `line` for what is no TAP. */
export class TapTally extends EventEmitter<{ file: [FileResult]; line: [string] }> {
  readonly total: Tally = { passed: 0, failed: 0, skipped: 0 }
  readonly #parser = new Parser()

  constructor() {
    super()
    const root = newBranch()
    watch(this.#parser, root, (point, branch) => {
      // tap says twice that a file took too long: in the file's own result, and beside it.
      if (branch === undefined && point.name === 'timeout!') return
      const { passed, failed, skipped, failures } = settle(point, branch)
      this.total.passed += passed
      this.total.failed += failed
      this.total.skipped += skipped
      this.emit('file', {
        name: point.name,
        ms: point.time ?? 0,
        passed,
        failed,
        skipped,
        failures
      })
    })
    this.#parser.on('extra', (line: string) => this.emit('line', line))
    this.#parser.on('bailout', (reason: string) => this.emit('line', `Bail out! ${reason}\n`))
  }

  write(chunk: Buffer | string): void {
    this.#parser.write(chunk)
  }

  #sawTests(): boolean {
    return this.total.passed + this.total.failed + this.total.skipped > 0
  }

  /** Whether the run as a whole is good; false when it broke off, or had no test at all. */
  async end(): Promise<boolean> {
    return await new Promise((resolve) => {
      this.#parser.on('complete', (results) => resolve(results.ok && this.#sawTests()))
      this.#parser.end()
    })
  }
}

function newBranch(): Branch {
  return {
    passed: 0,
    failed: 0,
    skipped: 0,
    failures: [],
    open: [],
    hasSubtests: false,
    points: []
  }
}

/** Calls `onPoint` for every test point of `parser`, with the branch of its subtest when it is one. */
function watch(
  parser: Parser,
  branch: Branch,
  onPoint: (point: TestPoint, subtest: Branch | undefined) => void
): void {
  parser.on('child', (child: Parser) => {
    const subtest = newBranch()
    branch.open.push(subtest)
    watch(child, subtest, (point, inner) => absorb(subtest, point, inner))
  })
  // A subtest's own test point is the next one after its plan, so the open ones are answered in order.
  parser.on('assert', (point: TestPoint) => onPoint(point, branch.open.shift()))
}

/** Adds the result of one test point to the branch it belongs to. */
function absorb(branch: Branch, point: TestPoint, inner: Branch | undefined): void {
  if (inner === undefined && !isSkipped(point)) {
    if (!point.ok) branch.points.push({ path: [point.name], diagnostics: point.diag })
    return
  }
  const result = settle(point, inner)
  branch.hasSubtests = true
  branch.passed += result.passed
  branch.failed += result.failed
  branch.skipped += result.skipped
  for (const { path, diagnostics } of result.failures) {
    branch.failures.push({ path: [point.name, ...path], diagnostics })
  }
}

/** The tally of a test point and everything inside it. */
function settle(point: TestPoint, branch: Branch | undefined): Tally & { failures: Failure[] } {
  if (isSkipped(point)) return { passed: 0, failed: 0, skipped: 1, failures: [] }
  const { passed, failed, skipped, failures, hasSubtests, points } = branch ?? newBranch()
  if (point.ok) return { passed: hasSubtests ? passed : 1, failed, skipped, failures }
  const own = points.length > 0 ? points : [{ path: [], diagnostics: point.diag }]
  return failed > 0 && points.length === 0
    ? { passed, failed, skipped, failures }
    : { passed, failed: failed + 1, skipped, failures: [...failures, ...own] }
}

function isSkipped(point: TestPoint): boolean {
  return Boolean(point.skip) || Boolean(point.todo)
}
