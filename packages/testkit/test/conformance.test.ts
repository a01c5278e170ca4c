import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { before, describe, test } from 'node:test'
import { conformanceCases } from '@throughline/testkit/conformance'

/** A fault of a driver, and the case that has to find it, by how its title begins. */
const finds: readonly (readonly [fault: string, title: string])[] = [
  ['cuts bodies short', 'bodies arrive to the byte'],
  ['drops repeated headers', 'headers arrive as they were sent'],
  ['sends the last message first', 'messages of one key arrive in the order'],
  ['confirms what was not sent', 'publishing while the broker is away'],
  ['accepts on arrival', 'nothing is accepted before it is settled'],
  ['accepts on arrival', 'close while deliveries are in flight'],
  ['gives back what is rejected', 'reject: done for good'],
  ['gives back what is rejected', 'reject: the dead letter'],
  ['takes what is released for done', 'release: comes again'],
  ['reads past the window', 'no more than the window'],
]

interface Outcome {
  readonly fault: string
  readonly title: string
  readonly passed: boolean
}

/** Runs `faulty.ts`: of each fault the cases that have to find it, and all of them against the driver without one. */
function runFaulty(): Promise<readonly Outcome[]> {
  const wanted = [...finds, ['no fault', '']].map(
    ([fault, title]) => `^${fault} the (bare|decorated) \\w+ ${title}`,
  )
  const args = [
    '--conditions=@throughline/source',
    '--disable-warning=ExperimentalWarning',
    '--test-reporter=tap',
    `--test-name-pattern=${wanted.join('|')}`,
    join(import.meta.dirname, 'faulty.ts'),
  ]
  // It reports for itself, not to the runner of this file.
  const { NODE_TEST_CONTEXT: _, ...env } = process.env
  return new Promise((resolve) => {
    // That it fails is what it is run for.
    execFile(process.execPath, args, { env, timeout: 25_000 }, (_error, output) =>
      resolve(outcomesOf(output)),
    )
  })
}

/** The cases stand two suites deep: the fault, the half. */
function outcomesOf(tap: string): readonly Outcome[] {
  const outcomes: Outcome[] = []
  let fault = ''
  for (const line of tap.split('\n')) {
    fault = /^# Subtest: (.*)$/.exec(line)?.[1] ?? fault
    const [, not, title] = /^ {8}(not )?ok \d+ - (.*)$/.exec(line) ?? []
    if (title !== undefined) outcomes.push({ fault, title, passed: not === undefined })
  }
  return outcomes
}

describe('the conformance suite', () => {
  let outcomes: readonly Outcome[] = []
  before(async () => {
    outcomes = await runFaulty()
  })

  for (const [fault, title] of finds) {
    test(`fails a driver that ${fault}, in "${title} …"`, () => {
      const [found] = outcomes.filter((each) => each.fault === fault && each.title.startsWith(title))
      assert.equal(found?.passed, false)
    })
  }

  test('passes the same driver without a fault, and says which cases do not apply', () => {
    const sound = outcomes.filter(({ fault }) => fault === 'no fault')
    assert.deepEqual(
      sound.filter(({ passed }) => !passed),
      [],
    )
    assert.equal(sound.length, Object.values(conformanceCases).flat().length)
    const reason = 'not applicable, its broker is this process: a broker restarted'
    assert.ok(sound.some(({ title }) => title.startsWith(reason)))
  })
})
