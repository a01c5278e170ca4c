import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { test } from 'node:test'
import { kafka } from '@throughline/kafka'
import { eventually, withSpans } from '@throughline/testkit'
import { createTopics } from '../../scripts/brokers/topics.ts'
import { brokers } from '../support/pipeline.ts'
import { event, processed, sent, shape } from './shape.ts'

const TIME = '2026-01-02T03:04:05.123456789+01:00'

test('what a group of Kafka reads again by its own seek is handled in a trace of its own, with a link to the send; what is new is not', () =>
  withSpans(async (spans) => {
    const { kafkaBrokers } = brokers()
    const topic = `readings-${randomUUID().slice(0, 8)}`
    await createTopics(kafkaBrokers, [{ name: topic }])
    const broker = kafka({ brokers: kafkaBrokers })
    const handled: string[] = []
    const handler = ({ id }: { id: string }) => void handled.push(id)
    const options = { topics: [topic], group: topic }
    try {
      const publisher = broker.publisher({ topic })
      await publisher.publish({ ...event('1'), time: TIME })
      const first = await broker.subscribe(options, handler)
      await eventually(() => assert.deepEqual(handled, ['1']))
      await first.close()
      await broker.subscribe({ ...options, seekTo: { name: 'again', to: 'earliest' } }, handler)
      await eventually(() => assert.deepEqual(handled, ['1', '1']))
      await publisher.publish(event('2'))
      await eventually(() => assert.deepEqual(handled, ['1', '1', '2']))
    } finally {
      await broker.close()
    }
    assert.deepEqual(shape(spans, { readings: [topic] }), [
      sent('1', 'readings', {
        children: [processed('1', 'readings', { parent: 'send readings', links: [{ to: 'send readings' }] })],
      }),
      processed('1', 'readings', {
        trace: 2,
        links: [{ to: 'send readings', attributes: { replay: true } }],
        attributes: { 'app.replay': true, 'app.original_timestamp': TIME },
      }),
      sent('2', 'readings', {
        trace: 3,
        children: [
          processed('2', 'readings', {
            trace: 3,
            parent: 'send readings#2',
            links: [{ to: 'send readings#2' }],
          }),
        ],
      }),
    ])
  }))
