import { parseArgs } from 'node:util'
import { findChromium } from './bootstrap/clients.mjs'
import { withoutInterop } from './bootstrap/foreign.mjs'
import { repository } from './bootstrap/paths.mjs'
import { type Brokers, runFolder, startBrokers } from './brokers/set.ts'
import { stateFile } from './brokers/state.ts'
import { check } from './suites/check.ts'
import { isGreen, runSuite, type SuiteResult, summary } from './suites/run.ts'
import { type Suite, suites, testFiles } from './suites/suites.ts'

const help = `Usage: npm test -- [--quick] [part of a path …]

  Checks types, lint and boundaries, then runs: ${suites.map((suite) => suite.name).join(', ')}.
  --quick         the checks and the unit tests alone: no broker, no browser
  part of a path  only test files whose path contains it, without the checks
`

const { values, positionals: parts } = parseArgs({
  allowPositionals: true,
  options: { quick: { type: 'boolean', default: false }, help: { type: 'boolean', default: false } },
})

const interrupted = new AbortController()
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
  process.on(signal, () => interrupted.abort(new Error(`interrupted by ${signal}`)))
}

if (values.help) process.stdout.write(help)
// What a killed test file started may live on with our stderr in its hands: not waited for.
else process.exit(await main())

async function main(): Promise<number> {
  const startedAt = performance.now()
  const results: SuiteResult[] = []
  if (parts.length === 0) results.push(await runCheck())
  let brokers: Brokers | undefined
  try {
    for (const { suite, files } of results.every(isGreen) ? wanted() : []) {
      if (interrupted.signal.aborted) break
      console.log(`\n── ${suite.name} (${files.length} files)`)
      if (suite.brokers && files.length > 0) brokers ??= await startForTests()
      const result = await runSuite(repository, suite, files, interrupted.signal)
      results.push(interrupted.signal.aborted ? { ...result, reason: 'interrupted' } : result)
    }
  } catch (error) {
    results.push(failure('set-up', error instanceof Error ? error.message : String(error)))
  } finally {
    await brokers?.stop()
  }
  if (results.length === 0)
    results.push(failure('tests', `no test file has ${parts.join(' or ')} in its path`))
  console.log(`\nall in ${((performance.now() - startedAt) / 1000).toFixed(1)} s`)
  const leftOut = withoutInterop() && !values.quick ? ['interop: THROUGHLINE_SKIP_INTEROP=1'] : []
  console.log(summary(results, leftOut))
  return results.every(isGreen) && !interrupted.signal.aborted ? 0 : 1
}

async function runCheck(): Promise<SuiteResult> {
  const startedAt = performance.now()
  const passed = await check(repository)
  const seconds = (performance.now() - startedAt) / 1000
  const result = { name: 'check', files: 0, passed: 0, failed: 0, skipped: 0, absent: [], seconds }
  return passed ? result : { ...result, failed: 1, reason: 'see above; no test was run' }
}

function wanted(): { suite: Suite; files: string[] }[] {
  const all = testFiles(repository)
  const chosen = all.filter((file) => parts.length === 0 || parts.some((part) => file.includes(part)))
  return suites
    .filter((suite) => !values.quick || suite.name === 'unit')
    .filter((suite) => suite.name !== 'interop' || !withoutInterop())
    .map((suite) => ({ suite, files: suite.files(chosen) }))
    .filter(({ files }) => parts.length === 0 || files.length > 0)
}

/** One set of brokers for all suites, named to the tests by the environment. */
async function startForTests(): Promise<Brokers> {
  const startedAt = performance.now()
  const brokers = await startBrokers({
    kafka: true,
    mosquitto: true,
    rabbitmq: true,
    dir: runFolder(`test-${process.pid}`),
  })
  process.env.KAFKA_BROKERS = brokers.kafka?.bootstrap
  process.env.MQTT_URL = brokers.mqtt?.url
  process.env.AMQP_URL = brokers.amqp?.url
  process.env.THROUGHLINE_BROKERS_STATE = stateFile(brokers.dir)
  process.env.CHROMIUM_PATH = findChromium()
  const addresses = [brokers.kafka?.bootstrap, brokers.mqtt?.url, brokers.amqp?.url].join(', ')
  console.log(`brokers in ${((performance.now() - startedAt) / 1000).toFixed(1)} s: ${addresses}`)
  return brokers
}

function failure(name: string, reason: string): SuiteResult {
  return { name, files: 0, passed: 0, failed: 1, skipped: 0, absent: [], seconds: 0, reason }
}
