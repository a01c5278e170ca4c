import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { context, ROOT_CONTEXT, trace } from '@opentelemetry/api'
import { type BatchHandler, type BatchOptions, createBroker, PermanentError } from '@throughline/core'
import {
  eventually,
  type MemorySubscriberOptions,
  type MemoryTransport,
  memoryTransport,
  withSpans,
} from '@throughline/testkit'

const OMIT = { omit: ['throughline.sent_at'] }
const FAST = { minMs: 1, maxMs: 2 }
const BATCH = { 'messaging.system': 'memory', 'messaging.consumer.group.name': 'default' }
const READINGS = { 'messaging.destination.name': 'readings' }
const PROCESS = {
  ...BATCH,
  ...READINGS,
  'messaging.operation.name': 'process',
  'messaging.operation.type': 'process',
  'throughline.outcome': 'accept',
}

/** Publishes so many events, each in a trace of its own, and handles them in batches until all are settled. */
async function run(
  transport: MemoryTransport,
  count: number,
  options: BatchOptions & Partial<MemorySubscriberOptions>,
  handler: BatchHandler = () => undefined,
): Promise<void> {
  await using broker = createBroker(transport)
  const publisher = broker.publisher({ destination: 'readings', createSpans: false })
  const events = Array.from({ length: count }, (_, index) => ({ id: `${index}`, type: 't', source: '/s' }))
  await publisher.publishAll(events)
  await broker.subscribeBatch({ destinations: ['readings'], window: 1000, maxWaitMs: 5, ...options }, handler)
  await eventually(() => assert.equal(transport.unsettled(), 0))
}

const memberLink = (index: number, more: object = {}) => ({
  to: index === 0 ? 'send readings' : `send readings#${index + 1}`,
  attributes: {
    'memory.offset': index,
    'messaging.message.id': `${index}`,
    'cloudevents.event_id': `${index}`,
    'cloudevents.event_source': '/s',
    'cloudevents.event_type': 't',
    'cloudevents.event_spec_version': '1.0',
    'throughline.sent_at_source': 'header',
    ...more,
  },
})

describe('a batch', () => {
  test('is one process span of its own trace, linked to what sent each message, with its attributes on the link', () =>
    withSpans(async (spans) => {
      await run(memoryTransport(), 3, { maxMessages: 3 }, (_events, { span }) => {
        assert.equal(trace.getSpan(context.active()), span)
      })
      assert.deepEqual(spans.tree(OMIT)[3], {
        name: 'process readings',
        kind: 'CONSUMER',
        trace: 4,
        parent: null,
        links: [memberLink(0), memberLink(1), memberLink(2)],
        attributes: { ...PROCESS, 'messaging.batch.message_count': 3 },
      })
    }))

  test('of 500 messages keeps every link, on parts that the process span links to', () =>
    withSpans(async (spans) => {
      await run(memoryTransport(), 500, { maxMessages: 500, maxWaitMs: 60_000 })
      const producers = spans.named('send readings').map((span) => span.spanContext())
      assert.equal(producers.length, 500)
      const [processed] = spans.named('process readings')
      assert.ok(processed)
      assert.equal(processed.attributes['messaging.batch.message_count'], 500)
      const parts = spans.named('receive readings')
      assert.deepEqual(
        parts.map(({ attributes, kind, links }) => [
          kind,
          attributes['throughline.batch.part'],
          attributes['messaging.batch.message_count'],
          links.length,
        ]),
        [
          [2, '1/4', 128, 128],
          [2, '2/4', 128, 128],
          [2, '3/4', 128, 128],
          [2, '4/4', 116, 116],
        ],
      )
      for (const part of parts) {
        assert.equal(part.parentSpanContext?.spanId, processed.spanContext().spanId)
        assert.equal(part.droppedLinksCount, 0)
      }
      assert.deepEqual(
        processed.links.map((link) => link.context.spanId),
        parts.map((part) => part.spanContext().spanId),
      )
      const found = parts.flatMap((part) => part.links.map((link) => link.context.spanId))
      assert.deepEqual(
        found,
        producers.map(({ spanId }) => spanId),
      )
    }))

  test('that fails is tried again in a span that links to the attempt before', () =>
    withSpans(async (spans) => {
      let calls = 0
      await run(memoryTransport(), 2, { maxMessages: 2, retry: FAST }, () => {
        if (++calls === 1) throw new TypeError('once')
      })
      const [, , first, second] = spans.tree(OMIT)
      assert.equal(first?.status?.message, 'once')
      assert.equal(first?.attributes?.['throughline.outcome'], 'release')
      assert.deepEqual(second, {
        name: 'process readings',
        kind: 'CONSUMER',
        trace: 4,
        parent: null,
        links: [memberLink(0), memberLink(1), { to: 'process readings', attributes: { retry: true } }],
        attributes: { ...PROCESS, 'messaging.batch.message_count': 2, 'throughline.attempt': 2 },
      })
    }))

  test('that is given up leaves a dead letter of each message, in that message’s own trace', () =>
    withSpans(async (spans) => {
      const transport = memoryTransport()
      await using dead = createBroker(transport)
      const deadLetter = { publisher: dead.publisher({ destination: 'dead' }) }
      await run(transport, 2, { maxMessages: 2, deadLetter }, () => {
        throw new PermanentError('never')
      })
      for (const [index, root] of spans.tree(OMIT).slice(0, 2).entries()) {
        const [letter] = root.children ?? []
        assert.equal(letter?.name, 'send dead')
        assert.deepEqual(letter?.links, [{ to: 'process readings', attributes: { dead_letter: true } }])
        assert.equal(letter?.attributes?.['messaging.message.id'], `${index}`)
      }
    }))

  test('gives what is published for one of its messages the context of that message', () =>
    withSpans(async (spans) => {
      const transport = memoryTransport()
      await using broker = createBroker(transport)
      const next = broker.publisher({ destination: 'next' })
      await run(transport, 3, { maxMessages: 3 }, async (events, { contextOf }) => {
        for (const [index, event] of events.entries())
          await next.publish(event, { context: contextOf(index) })
      })
      const parents = spans.named('send next').map((span) => span.parentSpanContext?.spanId)
      assert.deepEqual(
        parents,
        spans.named('send readings').map((span) => span.spanContext().spanId),
      )
    }))

  test('says how many messages came without a context, and takes none where the subscription trusts none', () =>
    withSpans(async (spans) => {
      const transport = memoryTransport()
      const bare = { body: null, headers: [] }
      await transport.publisher({ destination: 'readings' }).publish([bare, bare])
      await using broker = createBroker(transport)
      await broker.publisher({ destination: 'readings' }).publish({ body: 'x' })
      const options = { destinations: ['readings'], raw: true as const, maxMessages: 3, maxWaitMs: 5 }
      await broker.subscribeBatch({ ...options, group: 'a' }, () => undefined)
      await broker.subscribeBatch({ ...options, group: 'b', trust: 'ignore' }, () => undefined)
      await eventually(() => assert.equal(transport.unsettled('a') + transport.unsettled('b'), 0))
      const seen = spans
        .named('process readings')
        .map(({ attributes, links }) => [
          attributes['throughline.missing_context'],
          attributes['throughline.missing_context.count'],
          links.length,
        ])
      assert.deepEqual(seen, [
        [true, 2, 1],
        [true, 2, 0],
      ])
    }))

  test('of several destinations has no name of one of them', () =>
    withSpans(async (spans) => {
      const transport = memoryTransport()
      await using broker = createBroker(transport)
      for (const destination of ['a', 'b']) {
        await broker
          .publisher({ destination })
          .publish({ type: 't', source: '/s' }, { context: ROOT_CONTEXT })
      }
      await broker.subscribeBatch(
        { destinations: ['a', 'b'], maxMessages: 2, maxWaitMs: 60_000 },
        () => undefined,
      )
      await eventually(() => assert.equal(transport.unsettled(), 0))
      const [span] = spans.named('process')
      assert.equal(span?.attributes['messaging.destination.name'], undefined)
      assert.equal(span?.links.length, 2)
    }))
})
