import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { type ConsumeOptions, createBroker } from '@throughline/core'
import { eventually, type MemoryTransport, memoryTransport, withSpans } from '@throughline/testkit'

const reading = { id: '1', type: 't', source: '/s' }
const SETTLE = {
  'messaging.system': 'memory',
  'messaging.operation.type': 'settle',
  'messaging.consumer.group.name': 'default',
  'messaging.destination.name': 'readings',
}

async function run(
  transport: MemoryTransport,
  options: ConsumeOptions,
  handler: () => unknown,
): Promise<void> {
  await using broker = createBroker(transport)
  await broker.publisher({ destination: 'readings' }).publish(reading)
  await broker.subscribe({ destinations: ['readings'], retry: { minMs: 1, maxMs: 1 }, ...options }, handler)
  await eventually(() => assert.equal(transport.unsettled(), 0))
}

describe('settlement', () => {
  test('has no span of its own unless it was asked for', () =>
    withSpans(async (spans) => {
      await run(memoryTransport(), {}, () => undefined)
      assert.equal(spans.finished().length, 2)
    }))

  test('is an ack under the process span', () =>
    withSpans(async (spans) => {
      await run(memoryTransport(), { settleSpans: true }, () => undefined)
      assert.deepEqual(spans.tree()[0]?.children?.[0]?.children, [
        {
          name: 'ack readings',
          kind: 'CLIENT',
          trace: 1,
          parent: 'process readings',
          attributes: { ...SETTLE, 'messaging.operation.name': 'ack' },
        },
      ])
    }))

  test('is a nack under the last attempt of what is given up', () =>
    withSpans(async (spans) => {
      const retry = { minMs: 1, maxMs: 1, attempts: 2 }
      await run(memoryTransport(), { settleSpans: true, onExhausted: 'drop', retry }, () => {
        throw new Error('no')
      })
      const [nack] = spans.named('nack readings')
      const attempts = spans.named('process readings')
      assert.equal(nack?.parentSpanContext?.spanId, attempts.at(-1)?.spanContext().spanId)
    }))

  test('is one ack for a batch', () =>
    withSpans(async (spans) => {
      const transport = memoryTransport()
      await using broker = createBroker(transport)
      await broker.publisher({ destination: 'readings' }).publishAll([reading, reading, reading])
      await broker.subscribeBatch(
        { destinations: ['readings'], maxMessages: 3, settleSpans: true },
        () => undefined,
      )
      await eventually(() => assert.equal(spans.named('ack readings').length, 1))
      const [ack] = spans.named('ack readings')
      assert.equal(ack?.attributes['messaging.batch.message_count'], 3)
      assert.equal(ack?.parentSpanContext?.spanId, spans.named('process readings')[0]?.spanContext().spanId)
    }))

  test('is a commit in a trace of its own where the transport commits', () =>
    withSpans(async (spans) => {
      const transport: MemoryTransport = { ...memoryTransport(), settleOperation: 'commit' }
      await run(transport, { settleSpans: true }, () => undefined)
      const [, commit] = spans.tree()
      assert.equal(commit?.name, 'commit readings')
      assert.equal(commit?.parent, null)
      assert.equal(commit?.trace, 2)
    }))

  test('that fails is an error on its span', () =>
    withSpans(async (spans) => {
      const memory = memoryTransport()
      const transport: MemoryTransport = {
        ...memory,
        subscriber(options) {
          const subscriber = memory.subscriber(options)
          return { ...subscriber, settle: () => Promise.reject(new Error('lost')) }
        },
      }
      await using broker = createBroker(transport)
      await broker.publisher({ destination: 'readings' }).publish(reading)
      await broker.subscribe({ destinations: ['readings'], settleSpans: true }, () => undefined)
      await eventually(() => assert.equal(spans.named('ack readings').length, 1))
      assert.equal(spans.named('ack readings')[0]?.status.message, 'lost')
    }))
})
