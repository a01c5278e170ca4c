import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import {
  BatchError,
  createBroker,
  PermanentError,
  type Problem,
  StoppedError,
  UnavailableError,
} from '@throughline/core'
import { eventually, memoryTransport } from '@throughline/testkit'
import { publish, settled } from './readings.ts'

const FAST = { minMs: 1, maxMs: 2 }
const READINGS = { destinations: ['readings'], window: 1000, maxWaitMs: 5 }
const numbers = (count: number) => Array.from({ length: count }, (_, index) => String(index))

describe('a batch subscription', () => {
  test('hands over full batches, and what is left when the first of it has waited', async () => {
    const transport = memoryTransport()
    await publish(transport, numbers(25))
    await using broker = createBroker(transport)
    const batches: string[][] = []
    await broker.subscribeBatch({ ...READINGS, maxMessages: 10 }, (events) => {
      batches.push(events.map(({ id }) => id))
    })
    await settled(transport)
    assert.deepEqual(batches.flat(), numbers(25))
    assert.ok(batches.every((batch) => batch.length <= 10))
    assert.equal(batches[0]?.length, 10)
  })

  test('accepts nothing before its handler has returned', async () => {
    const transport = memoryTransport()
    await publish(transport, numbers(3))
    await using broker = createBroker(transport)
    const gate = Promise.withResolvers<void>()
    const started = Promise.withResolvers<void>()
    await broker.subscribeBatch({ ...READINGS, maxMessages: 3 }, async () => {
      started.resolve()
      await gate.promise
    })
    await started.promise
    assert.equal(transport.unsettled(), 3)
    gate.resolve()
    await settled(transport)
  })

  test('tries a batch that failed again as it was', async () => {
    const transport = memoryTransport()
    await publish(transport, numbers(4))
    await using broker = createBroker(transport)
    const attempts: [number, string][] = []
    await broker.subscribeBatch({ ...READINGS, maxMessages: 4, retry: FAST }, (events, { attempt }) => {
      attempts.push([attempt, events.map(({ id }) => id).join()])
      if (attempt < 3) throw new Error('not yet')
    })
    await settled(transport)
    assert.deepEqual(attempts, [
      [1, '0,1,2,3'],
      [2, '0,1,2,3'],
      [3, '0,1,2,3'],
    ])
  })

  test('accepts what a BatchError leaves out, and tries or gives up the others one by one', async () => {
    const transport = memoryTransport()
    await publish(transport, numbers(4))
    await using broker = createBroker(transport)
    const deadLetter = { publisher: broker.publisher({ destination: 'dead' }) }
    const batches: string[] = []
    const problems: Problem[] = []
    const onProblem = (problem: Problem) => problems.push(problem)
    await broker.subscribeBatch(
      { ...READINGS, maxMessages: 4, retry: FAST, deadLetter, onProblem },
      (events, { attempt }) => {
        batches.push(events.map(({ id }) => id).join())
        if (attempt === 1) {
          throw new BatchError(
            new Map([
              [1, new Error('again')],
              [3, new PermanentError('never')],
            ]),
          )
        }
      },
    )
    await settled(transport)
    assert.deepEqual(batches, ['0,1,2,3', '1'])
    assert.deepEqual(
      transport.messages('dead').map((message) => transport.binding.decode(message).id),
      ['3'],
    )
    assert.deepEqual(
      problems.map((problem) => [problem.kind, 'position' in problem ? problem.position : null]),
      [
        ['connected', null],
        ['retry', 'readings@1'],
        ['dead-lettered', 'readings@3'],
      ],
    )
  })

  test('gives up each message by itself when the attempts are spent, and keeps dead letters until they are published', async () => {
    const transport = memoryTransport()
    await publish(transport, numbers(3))
    await using broker = createBroker(transport)
    const deadLetter = { publisher: broker.publisher({ destination: 'dead' }) }
    transport.failNext(4, new UnavailableError('away'))
    let calls = 0
    await broker.subscribeBatch(
      { ...READINGS, maxMessages: 3, retry: { ...FAST, attempts: 2 }, deadLetter },
      () => {
        calls++
        throw new Error('cannot')
      },
    )
    await settled(transport)
    assert.equal(calls, 2)
    assert.deepEqual(
      transport.messages('dead').map((message) => transport.binding.decode(message).id),
      ['0', '1', '2'],
    )
    assert.ok(transport.rejections().every(({ deadLettered }) => deadLettered))
  })

  test('stops at the first message it has to give up where nothing takes it', async () => {
    const transport = memoryTransport()
    await publish(transport, numbers(3))
    await using broker = createBroker(transport)
    const subscription = await broker.subscribeBatch({ ...READINGS, maxMessages: 3 }, () => {
      throw new BatchError(new Map([[1, new PermanentError('never')]]))
    })
    await assert.rejects(subscription.closed, (error) => {
      assert.ok(error instanceof StoppedError)
      assert.equal(error.position, 'readings@1')
      return true
    })
    assert.equal(transport.unsettled(), 1)
  })

  test('spends no attempt on a destination that is away', async () => {
    const transport = memoryTransport()
    await publish(transport, numbers(2))
    await using broker = createBroker(transport)
    let calls = 0
    await broker.subscribeBatch({ ...READINGS, maxMessages: 2, retry: { ...FAST, attempts: 1 } }, () => {
      if (++calls < 10) throw new UnavailableError('away')
    })
    await settled(transport)
    assert.equal(calls, 10)
  })

  test('keeps what is no valid event out of the batch, and its key in order', async () => {
    const transport = memoryTransport()
    await publish(transport, ['1'], 'k')
    const broken = {
      body: new TextEncoder().encode('{'),
      headers: [],
      contentType: 'application/cloudevents+json',
      key: 'k',
    }
    await transport.publisher({ destination: 'readings' }).publish([broken])
    await publish(transport, ['2'], 'k')
    await publish(transport, ['3'], 'other')
    await using broker = createBroker(transport)
    const deadLetter = { publisher: broker.publisher({ destination: 'dead' }) }
    const seen: string[] = []
    await broker.subscribeBatch({ ...READINGS, maxMessages: 10, deadLetter }, (events) => {
      seen.push(`${events.map(({ id }) => id).join()} after ${transport.messages('dead').length}`)
    })
    await settled(transport)
    assert.deepEqual(seen, ['1,3 after 0', '2 after 1'])
  })

  test('keeps the order of every key over batches side by side, retries and lost connections', async () => {
    const transport = memoryTransport()
    const keys = ['a', 'b', 'c', 'd', 'e']
    for (let index = 0; index < 40; index++) {
      for (const key of keys) await publish(transport, [`${key}${index}`], key)
    }
    await using broker = createBroker(transport)
    const first = new Map<string, number[]>(keys.map((key) => [key, []]))
    let calls = 0
    let busy = 0
    let most = 0
    await broker.subscribeBatch(
      { ...READINGS, maxMessages: 7, maxWaitMs: 1, concurrency: 3, retry: { ...FAST, attempts: 1000 } },
      async (events, { signal }) => {
        most = Math.max(most, ++busy)
        calls++
        await new Promise((resolve) => setImmediate(resolve))
        busy--
        if (calls % 11 === 0) transport.disconnect()
        if (calls % 5 === 0) throw new Error('not yet')
        if (signal.aborted) return
        for (const { id } of events) {
          const seen = first.get(id.slice(0, 1))
          const number = Number(id.slice(1))
          if (seen !== undefined && !seen.includes(number)) seen.push(number)
        }
      },
    )
    await settled(transport)
    for (const key of keys) {
      assert.deepEqual(
        first.get(key),
        Array.from({ length: 40 }, (_, index) => index),
        `key ${key}`,
      )
    }
    assert.ok(most <= 3)
  })

  test('finishes what it has read when closed, the batch that is not full included', async () => {
    const transport = memoryTransport()
    await publish(transport, numbers(3))
    await using broker = createBroker(transport)
    const handled: string[] = []
    const subscription = await broker.subscribeBatch(
      { ...READINGS, maxMessages: 100, maxWaitMs: 60_000 },
      (events) => void handled.push(...events.map(({ id }) => id)),
    )
    await eventually(() => assert.equal(subscription.state, 'running'))
    // One turn for what was published before to be read.
    await new Promise((resolve) => setImmediate(resolve))
    await subscription.close()
    assert.deepEqual(handled, numbers(3))
    assert.equal(transport.unsettled(), 0)
  })

  test('gives back what would be tried again when closed, and all behind it', async () => {
    const transport = memoryTransport()
    await publish(transport, numbers(4), 'k')
    await using broker = createBroker(transport)
    const failed = Promise.withResolvers<void>()
    const retry = { minMs: 60_000, maxMs: 60_000 }
    const onProblem = ({ kind }: Problem) => kind === 'retry' && failed.resolve()
    let calls = 0
    const subscription = await broker.subscribeBatch(
      { ...READINGS, maxMessages: 2, retry, onProblem },
      () => {
        calls++
        throw new Error('not yet')
      },
    )
    await failed.promise
    await subscription.close()
    assert.equal(calls, 1)
    assert.equal(transport.unsettled(), 4)
  })

  test('aborts a handler that outlasts the grace, and accepts nothing of its batch', async () => {
    const transport = memoryTransport()
    await publish(transport, numbers(2))
    await using broker = createBroker(transport)
    const started = Promise.withResolvers<AbortSignal>()
    const subscription = await broker.subscribeBatch(
      { ...READINGS, maxMessages: 2 },
      async (_events, { signal }) => {
        started.resolve(signal)
        await new Promise(() => undefined)
      },
    )
    const signal = await started.promise
    await subscription.close({ graceMs: 1 })
    assert.equal(signal.aborted, true)
    assert.equal(transport.unsettled(), 2)
  })

  test('refuses limits that make no sense', async () => {
    await using broker = createBroker(memoryTransport())
    for (const limits of [
      { maxMessages: 0 },
      { maxMessages: 1.5 },
      { maxMessages: 10_001 },
      { maxMessages: 1, concurrency: 0 },
    ]) {
      await assert.rejects(
        broker.subscribeBatch({ ...READINGS, ...limits }, () => undefined),
        RangeError,
      )
    }
  })
})
