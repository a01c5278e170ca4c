import { join, relative } from 'node:path'
import { run } from 'node:test'
import { spec } from 'node:test/reporters'
import type { Suite } from './suites.ts'

/** What a checkout may lack: a test says `needs …` of it, and why, where it was not run for want of it. */
const OPTIONAL = ['../shared', '@confluentinc/kafka-javascript'] as const

export interface SuiteResult {
  name: string
  files: number
  passed: number
  failed: number
  skipped: number
  /** What each test or group of tests needs that was not run for want of it: said in the summary, no failure. */
  absent: readonly string[]
  seconds: number
  /** Why it failed beside its tests. */
  reason?: string
}

/** Runs the files of a suite, each in a process of its own, and prints what they do as it happens. */
export async function runSuite(
  root: string,
  {
    name,
    brokers,
    limitMinutes,
    fileSeconds = brokers ? 180 : 120,
  }: Pick<Suite, 'name' | 'brokers' | 'limitMinutes' | 'fileSeconds'>,
  files: readonly string[],
  signal: AbortSignal,
): Promise<SuiteResult> {
  const result: SuiteResult = {
    name,
    files: files.length,
    passed: 0,
    failed: 0,
    skipped: 0,
    absent: [],
    seconds: 0,
  }
  if (files.length === 0) return { ...result, reason: 'no test files' }
  const startedAt = performance.now()
  const limit = AbortSignal.timeout(limitMinutes * 60_000)
  const tests = run({
    cwd: root,
    files: files.map((file) => join(root, file)),
    concurrency: brokers ? 1 : 2,
    execArgv: [
      '--conditions=@throughline/source',
      '--disable-warning=ExperimentalWarning',
      `--import=${new URL(`deadline.ts?seconds=${fileSeconds}`, import.meta.url)}`,
    ],
    signal: AbortSignal.any([signal, limit]),
  })
  const reasons: string[] = []
  onKilled(tests, (file, seconds, test) => {
    const where = test === undefined ? '' : `, in "${test}"`
    reasons.push(`${relative(root, file)} was killed after ${seconds.toFixed()} s${where}`)
    process.stdout.write(`✖ ${reasons.at(-1)}\n`)
  })
  const empty: string[] = []
  const absent: string[] = []
  let absentTests = 0
  tests.on('test:pass', ({ name, file, nesting, skip, details }) => {
    const need = OPTIONAL.find((each) => typeof skip === 'string' && skip.startsWith(`needs ${each}`))
    if (need !== undefined) {
      absent.push(need)
      // A suite that is skipped comes as one, its tests not at all, and it does not count as a test.
      if (details.type !== 'suite') absentTests++
    }

    // The runner lets a file in which no test is defined pass as one test of the file's name.
    if (nesting === 0 && name === file) empty.push(name)
  })
  tests.on('test:summary', ({ file, counts }) => {
    // One comes for each file, and at the end one for all.
    if (file !== undefined) return
    result.passed = counts.passed
    result.absent = absent
    result.skipped = counts.skipped + counts.todo - absentTests
    result.failed = counts.tests - counts.passed - result.skipped - absentTests
  })
  await printed(tests.compose(new spec()))
  result.passed -= empty.length
  result.failed += empty.length
  result.seconds = (performance.now() - startedAt) / 1000
  if (limit.aborted) reasons.push(`was ended after ${limitMinutes} minutes`)
  if (empty.length > 0) reasons.push(`no tests in ${empty.join(', ')}`)
  return reasons.length === 0 ? result : { ...result, reason: reasons.join('; ') }
}

interface Begun {
  name: string
  /** The file that the runner was given, and not a helper in which the test is defined; none on that file's own events. */
  entryFile?: string
}

/**
 * Tells of each file whose process was killed, as by its deadline: after how many seconds, and the test that it was in
 * where that is known.
 */
function onKilled(
  tests: ReturnType<typeof run>,
  listener: (file: string, seconds: number, test?: string) => void,
): void {
  /** By file, the test that began last and has not ended. */
  const running = new Map<string, string>()
  tests.on('test:dequeue', ({ name, entryFile }: Begun) => {
    if (entryFile !== undefined) running.set(entryFile, name)
  })
  tests.on(
    'test:complete',
    ({ name, entryFile, details }: Begun & { details: { error?: Error; duration_ms: number } }) => {
      if (entryFile !== undefined) {
        if (running.get(entryFile) === name) running.delete(entryFile)
        return
      }
      const { error, duration_ms } = details
      if (error === undefined || !('signal' in error) || error.signal !== 'SIGKILL') return
      listener(name, duration_ms / 1000, running.get(name))
    },
  )
}

/** Not a pipe to stdout, which would be ended with the first suite. */
async function printed(report: AsyncIterable<unknown>): Promise<void> {
  for await (const chunk of report) process.stdout.write(String(chunk))
}

/** Whether all of a suite's tests ran and passed. A skipped test proves nothing, so it does not count as passed. */
export const isGreen = (result: SuiteResult): boolean =>
  result.failed === 0 && result.skipped === 0 && result.reason === undefined

/**
 * The results as a table and, alone on the last line, the sums: what CI reads. `leftOut`: suites that were not to be run,
 * each with its reason.
 */
export function summary(results: readonly SuiteResult[], leftOut: readonly string[] = []): string {
  const row = (cells: readonly string[]) =>
    `${cells[0]?.padEnd(14)}${cells
      .slice(1, 6)
      .map((cell) => cell.padStart(9))
      .join('')}  ${cells[6] ?? ''}`.trimEnd()
  const lines = results.map(({ name, files, passed, failed, skipped, seconds, reason = '' }) =>
    row([name, `${files}`, `${passed}`, `${failed}`, `${skipped}`, `${seconds.toFixed(1)} s`, reason]),
  )
  const passed = results.reduce((sum, result) => sum + result.passed, 0)
  // A suite that could not run, or ran into its limit, is a failure even where no test of it failed.
  const failed = results.reduce((sum, result) => sum + Math.max(result.failed, isGreen(result) ? 0 : 1), 0)
  const header = row(['suite', 'files', 'passed', 'failed', 'skipped', 'time'])
  const notRun = [
    ...Map.groupBy(
      results.flatMap(({ absent }) => absent),
      (need) => need,
    ),
  ].flatMap(([need, { length }]) => [
    `not run: ${length} tests or groups of tests that need ${need}, which is not here`,
    '',
  ])
  const without = leftOut.length === 0 ? [] : [`left out: ${leftOut.join(', ')}`, '']
  return ['', header, ...lines, '', ...notRun, ...without, `${passed} passed, ${failed} failed`].join('\n')
}
