import assert from 'node:assert/strict'
import { getEventListeners } from 'node:events'
import { describe, test } from 'node:test'
import { createBroker, type Problem, StoppedError, UnavailableError } from '@throughline/core'
import { eventually, memoryTransport } from '@throughline/testkit'
import { publish, settled } from './readings.ts'

const FAST = { minMs: 1, maxMs: 2 }
const READINGS = { destinations: ['readings'] }

describe('a subscription', () => {
  test('keeps the order of a key while one of it is tried again, and lets other keys pass', async () => {
    const transport = memoryTransport()
    await publish(transport, ['a1', 'a2', 'a3'], 'a')
    await publish(transport, ['b1'], 'b')
    await using broker = createBroker(transport)
    const handled: string[] = []
    await broker.subscribe({ ...READINGS, retry: FAST }, (event, { attempt }) => {
      if (event.id === 'a1' && attempt < 3) throw new Error('not yet')
      handled.push(event.id)
    })
    await settled(transport)
    assert.deepEqual(handled, ['b1', 'a1', 'a2', 'a3'])
  })

  test('stops at a delivery whose attempts are spent, names its position and leaves it unsettled', async () => {
    const transport = memoryTransport()
    await publish(transport, ['1', '2', '3'], 'k')
    await using broker = createBroker(transport)
    const handled: string[] = []
    const subscription = await broker.subscribe({ ...READINGS, retry: { ...FAST, attempts: 2 } }, (event) => {
      if (event.id === '2') throw new Error('cannot')
      handled.push(event.id)
    })
    await assert.rejects(subscription.closed, (error) => {
      assert.ok(error instanceof StoppedError)
      assert.equal(error.position, 'readings@1')
      assert.equal(error.message, 'stopped at readings@1: cannot')
      return true
    })
    assert.equal(subscription.state, 'stopped')
    assert.deepEqual(handled, ['1'])
    assert.equal(transport.unsettled(), 2)
  })

  test('drops it instead where that was asked for, and says so', async () => {
    const transport = memoryTransport()
    await publish(transport, ['1', '2'])
    await using broker = createBroker(transport)
    const problems: Problem[] = []
    const options = { ...READINGS, retry: { ...FAST, attempts: 2 }, onExhausted: 'drop' as const }
    await broker.subscribe({ ...options, onProblem: (problem) => problems.push(problem) }, (event) => {
      if (event.id === '1') throw new Error('cannot')
    })
    await settled(transport)
    assert.deepEqual(
      problems.map((problem) => [problem.kind, 'attempt' in problem ? problem.attempt : null]),
      [
        ['connected', null],
        ['retry', 1],
        ['dropped', 2],
      ],
    )
  })

  test('spends no attempt on a destination that is away', async () => {
    const transport = memoryTransport()
    await publish(transport, ['1'])
    await using broker = createBroker(transport)
    let calls = 0
    await broker.subscribe({ ...READINGS, retry: { ...FAST, attempts: 1 } }, () => {
      if (++calls < 20) throw new UnavailableError('away')
    })
    await settled(transport)
    assert.equal(calls, 20)
  })

  test('keeps a delivery whose dead letter cannot be published until it can', async () => {
    const transport = memoryTransport()
    await publish(transport, ['1'])
    await using broker = createBroker(transport)
    const deadLetter = { publisher: broker.publisher({ destination: 'dead' }) }
    transport.failNext(5, new UnavailableError('away'))
    let calls = 0
    await broker.subscribe({ ...READINGS, retry: { ...FAST, attempts: 2 }, deadLetter }, () => {
      calls++
      throw new Error('cannot')
    })
    await settled(transport)
    assert.equal(calls, 2, 'only the dead letter is tried again, not the handler')
    assert.equal(transport.messages('dead').length, 1)
    assert.equal(transport.rejections()[0]?.deadLettered, true)
  })

  test('that has ended leaves nothing at the signal it was given', async () => {
    const { signal } = new AbortController()
    await using broker = createBroker(memoryTransport())
    const subscription = await broker.subscribe({ ...READINGS, signal }, () => undefined)
    assert.equal(getEventListeners(signal, 'abort').length, 1)
    await subscription.close()
    assert.equal(getEventListeners(signal, 'abort').length, 0)
  })

  test('hands no credentials of a sender on in a dead letter', async () => {
    const transport = memoryTransport()
    await using broker = createBroker(transport)
    const headers = {
      Authorization: 'Bearer x',
      cookie: 'a=b',
      'Proxy-Authorization': 'x',
      'Set-Cookie': 'a',
      kept: '1',
    }
    await broker.publisher({ destination: 'readings' }).publish({ body: 'x', headers })
    const deadLetter = { publisher: broker.publisher({ destination: 'dead' }) }
    await broker.subscribe({ ...READINGS, raw: true, retry: { attempts: 1 }, deadLetter }, () => {
      throw new Error('cannot')
    })
    await settled(transport)
    const names = transport.messages('dead').flatMap((letter) => letter.headers.map(([name]) => name))
    assert.deepEqual(
      names.filter((name) => !name.startsWith('throughline-')),
      ['kept'],
    )
  })

  test('connects again after a lost connection and handles everything that was not settled', async () => {
    const transport = memoryTransport()
    const ids = Array.from({ length: 200 }, (_, index) => String(index))
    await publish(transport, ids)
    await using broker = createBroker(transport)
    const handled = new Set<string>()
    await broker.subscribe({ ...READINGS, window: 10 }, async (event) => {
      const first = !handled.has(event.id)
      handled.add(event.id)
      if (first && handled.size % 50 === 0) transport.disconnect()
      await new Promise((resolve) => setImmediate(resolve))
    })
    await settled(transport)
    assert.equal(handled.size, 200)
  })

  test('waits for a broker that is away at the start and tells of it', async () => {
    const transport = memoryTransport()
    transport.refuse()
    await publish(memoryTransport(), [])
    await using broker = createBroker(transport)
    const problems: Problem[] = []
    const subscribing = broker.subscribe(
      { ...READINGS, onProblem: (problem) => problems.push(problem) },
      () => undefined,
    )
    await eventually(() => assert.equal(problems[0]?.kind, 'disconnected'))
    transport.restore()
    const subscription = await subscribing
    assert.equal(subscription.state, 'running')
    assert.equal(problems.at(-1)?.kind, 'connected')
  })

  test('gives that wait up when its signal is aborted', async () => {
    const transport = memoryTransport()
    transport.refuse()
    await using broker = createBroker(transport)
    const controller = new AbortController()
    const subscribing = broker.subscribe({ ...READINGS, signal: controller.signal }, () => undefined)
    controller.abort()
    await assert.rejects(subscribing, /closed before it was connected/)
  })

  test('finishes what it has read when closed', async () => {
    const transport = memoryTransport()
    await publish(transport, ['1', '2', '3'], 'k')
    await using broker = createBroker(transport)
    const gate = Promise.withResolvers<void>()
    const started = Promise.withResolvers<void>()
    const handled: string[] = []
    const subscription = await broker.subscribe(READINGS, async (event) => {
      started.resolve()
      await gate.promise
      handled.push(event.id)
    })
    await started.promise
    const closing = subscription.close()
    gate.resolve()
    await closing
    assert.deepEqual(handled, ['1', '2', '3'])
    assert.equal(transport.unsettled(), 0)
    await subscription.closed
  })

  test('gives back what would be tried again when closed, and all behind it', async () => {
    const transport = memoryTransport()
    await publish(transport, ['1', '2'], 'k')
    await using broker = createBroker(transport)
    const failed = Promise.withResolvers<void>()
    const handled: string[] = []
    const options = { ...READINGS, retry: { minMs: 60_000, maxMs: 60_000 } }
    const onProblem = ({ kind }: Problem) => kind === 'retry' && failed.resolve()
    const subscription = await broker.subscribe({ ...options, onProblem }, (event) => {
      handled.push(event.id)
      throw new Error('not yet')
    })
    await failed.promise
    await subscription.close()
    assert.deepEqual(handled, ['1'])
    assert.equal(transport.unsettled(), 2)
  })

  test('fails an attempt whose time is up', async () => {
    const transport = memoryTransport()
    await publish(transport, ['1'])
    await using broker = createBroker(transport)
    const reasons: unknown[] = []
    await broker.subscribe(
      { ...READINGS, attemptTimeoutMs: 5, retry: FAST },
      async (_event, { attempt, signal }) => {
        if (attempt > 1) return
        await new Promise((resolve) => signal.addEventListener('abort', resolve))
        reasons.push(signal.reason)
      },
    )
    await settled(transport)
    assert.match(String(reasons[0]), /did not return within 5 ms/)
  })

  test('reads nothing further while paused', async () => {
    const transport = memoryTransport()
    await using broker = createBroker(transport)
    const handled: string[] = []
    const subscription = await broker.subscribe(READINGS, (event) => void handled.push(event.id))
    subscription.pause()
    assert.equal(subscription.state, 'paused')
    await publish(transport, ['1', '2'])
    subscription.resume()
    await publish(transport, ['3'])
    await eventually(() => assert.deepEqual(handled, ['1', '2', '3']))
  })
})
