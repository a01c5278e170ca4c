import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createGather, type GatherLimits } from '../src/gather.ts'

/** A gather whose clock and sends are the test's. */
function gathering(limits: Partial<GatherLimits> = {}) {
  const batches: (readonly number[])[] = []
  const confirmations: (() => void)[] = []
  let timer: { readonly task: () => void; readonly delayMs: number } | null = null
  const gather = createGather<number>(
    { lingerMs: 0, maxBatchBytes: 1000, maxBatchMessages: 100, ...limits },
    (size) => size,
    (batch) => {
      batches.push(batch)
      return new Promise((resolve) => confirmations.push(resolve))
    },
    (task, delayMs) => {
      const mine = { task, delayMs }
      timer = mine
      return () => {
        if (timer === mine) timer = null
      }
    },
  )
  return {
    gather,
    batches,
    timer: () => timer,
    fire() {
      const due = timer
      timer = null
      due?.task()
    },
    async confirm() {
      confirmations.shift()?.()
      await new Promise(setImmediate)
    },
  }
}

test('items of one turn make one batch, in order', () => {
  const { gather, batches, fire, timer } = gathering()
  for (const item of [1, 2, 3]) gather.add(item)
  assert.deepEqual(batches, [])
  assert.equal(timer()?.delayMs, 0)
  fire()
  assert.deepEqual(batches, [[1, 2, 3]])
})

test('the first item starts the linger, later ones do not prolong it', () => {
  const { gather, timer } = gathering({ lingerMs: 5 })
  gather.add(1)
  const first = timer()
  gather.add(2)
  assert.equal(timer(), first)
  assert.equal(first?.delayMs, 5)
})

test('a full batch goes at once, by count and by bytes', () => {
  const byCount = gathering({ lingerMs: 50, maxBatchMessages: 2 })
  byCount.gather.add(1)
  byCount.gather.add(2)
  assert.deepEqual(byCount.batches, [[1, 2]])
  assert.equal(byCount.timer(), null)
  const byBytes = gathering({ lingerMs: 50, maxBatchBytes: 10 })
  byBytes.gather.add(6)
  byBytes.gather.add(4)
  assert.deepEqual(byBytes.batches, [[6, 4]])
})

test('one batch is under way at a time; what came meanwhile goes right after it without lingering', async () => {
  const { gather, batches, fire, confirm, timer } = gathering({ lingerMs: 50 })
  gather.add(1)
  fire()
  for (const item of [2, 3]) gather.add(item)
  assert.deepEqual(batches, [[1]])
  assert.equal(timer(), null)
  await confirm()
  assert.deepEqual(batches, [[1], [2, 3]])
})

test('no batch is over a limit, except one item that is by itself', async () => {
  const { gather, batches, fire, confirm } = gathering({ maxBatchBytes: 10, maxBatchMessages: 3 })
  gather.add(1)
  fire()
  for (const item of [7, 4, 25, 1, 1, 1, 1]) gather.add(item)
  for (let batch = 0; batch < 6; batch++) await confirm()
  assert.deepEqual(batches, [[1], [7], [4], [25], [1, 1, 1], [1]])
})

test('flush ends the linger', () => {
  const { gather, batches, timer } = gathering({ lingerMs: 50 })
  gather.add(1)
  gather.flush()
  assert.deepEqual(batches, [[1]])
  assert.equal(timer(), null)
})

test('idle waits for everything and sends what waits', async () => {
  const { gather, batches, confirm } = gathering({ lingerMs: 50 })
  await gather.idle()
  gather.add(1)
  let idle = false
  const waiting = gather.idle().then(() => {
    idle = true
  })
  assert.deepEqual(batches, [[1]])
  gather.add(2)
  await confirm()
  assert.equal(idle, false)
  await confirm()
  await waiting
  assert.equal(gather.pending, 0)
})
