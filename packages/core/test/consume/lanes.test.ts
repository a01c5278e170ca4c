import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { createLanes as createLanesOf, type Lanes } from '../../src/consume/lanes.ts'

/** A task whose end the test decides. Its key is its name's letter. */
interface Task {
  readonly key: string | undefined
  readonly step: () => Promise<number | null>
  readonly end: (delayMs?: number | null) => void
  readonly abandoned: () => void
}

function createLanes(concurrency: number): Lanes<Task> {
  return createLanesOf<Task>(concurrency, {
    keyOf: ({ key }) => key,
    step: ({ step }) => step(),
    onAbandoned: ({ abandoned }) => abandoned(),
  })
}

function task(log: string[], name: string): Task {
  const runs: PromiseWithResolvers<number | null>[] = []
  return {
    key: /^[a-z]/.exec(name)?.[0],
    step: () => {
      log.push(name)
      const run = Promise.withResolvers<number | null>()
      runs.push(run)
      return run.promise
    },
    end: (delayMs: number | null = null) => runs.shift()?.resolve(delayMs),
    abandoned: () => void log.push(`${name} abandoned`),
  }
}

const turn = () => new Promise((resolve) => setImmediate(resolve))

describe('lanes', () => {
  test('run tasks of one key one after the other and of several keys side by side', async () => {
    const log: string[] = []
    const lanes = createLanes(10)
    const [a1, a2, b1] = [task(log, 'a1'), task(log, 'a2'), task(log, 'b1')]
    lanes.add(a1)
    lanes.add(a2)
    lanes.add(b1)
    assert.deepEqual(log, ['a1', 'b1'])
    a1.end()
    await turn()
    assert.deepEqual(log, ['a1', 'b1', 'a2'])
  })

  test('run tasks without a key all at once, up to the concurrency', async () => {
    const log: string[] = []
    const lanes = createLanes(2)
    const tasks = ['1', '2', '3'].map((name) => task(log, name))
    for (const each of tasks) lanes.add(each)
    assert.deepEqual(log, ['1', '2'])
    tasks[1]?.end()
    await turn()
    assert.deepEqual(log, ['1', '2', '3'])
  })

  test('a task that waits to be tried again blocks its key and nobody else', async () => {
    const log: string[] = []
    const lanes = createLanes(1)
    const [a1, a2, b1] = [task(log, 'a1'), task(log, 'a2'), task(log, 'b1')]
    lanes.add(a1)
    lanes.add(a2)
    lanes.add(b1)
    a1.end(1)
    await turn()
    assert.deepEqual(log, ['a1', 'b1'])
    b1.end()
    while (log.length < 3) await turn()
    assert.deepEqual(log, ['a1', 'b1', 'a1'])
    a1.end()
    await turn()
    assert.deepEqual(log, ['a1', 'b1', 'a1', 'a2'])
  })

  test('abandon what is queued or waiting, in order, and let what is running end', async () => {
    const log: string[] = []
    const lanes = createLanes(1)
    const [a1, a2, b1, b2] = [task(log, 'a1'), task(log, 'a2'), task(log, 'b1'), task(log, 'b2')]
    for (const each of [a1, a2, b1, b2]) lanes.add(each)
    lanes.abandon()
    assert.deepEqual(log, ['a1', 'b1 abandoned', 'b2 abandoned', 'a2 abandoned'])
    const a3 = task(log, 'a3')
    lanes.add(a3)
    assert.equal(log.length, 4, 'a key stays taken while its task is running')
    a1.end()
    await turn()
    assert.equal(log.at(-1), 'a3')
    a3.end()
    await lanes.idle()
  })

  test('once closed, finish what is queued and give back what comes late', async () => {
    const log: string[] = []
    const lanes = createLanes(1)
    const [a1, a2, b1] = [task(log, 'a1'), task(log, 'a2'), task(log, 'b1')]
    lanes.add(a1)
    lanes.add(a2)
    lanes.close()
    lanes.add(b1)
    a1.end()
    await turn()
    a2.end()
    await lanes.idle()
    assert.deepEqual(log, ['a1', 'b1 abandoned', 'a2'])
  })

  test('once closed, give back what would be tried again and all behind it', async () => {
    const log: string[] = []
    const lanes = createLanes(2)
    const [a1, a2, b1, b2] = [task(log, 'a1'), task(log, 'a2'), task(log, 'b1'), task(log, 'b2')]
    for (const each of [a1, a2, b1, b2]) lanes.add(each)
    a1.end(60_000)
    await turn()
    lanes.close()
    assert.deepEqual(log, ['a1', 'b1', 'a1 abandoned', 'a2 abandoned'])
    b1.end(60_000)
    await lanes.idle()
    assert.deepEqual(log.slice(4), ['b1 abandoned', 'b2 abandoned'])
  })

  test('are idle when nothing is running, queued or waiting', async () => {
    const log: string[] = []
    const lanes = createLanes(1)
    await lanes.idle()
    const a1 = task(log, 'a1')
    lanes.add(a1)
    let idle = false
    const waited = lanes.idle().then(() => {
      idle = true
    })
    await turn()
    assert.equal(idle, false)
    a1.end()
    await waited
  })
})
