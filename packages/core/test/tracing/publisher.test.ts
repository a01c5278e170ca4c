import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { ROOT_CONTEXT, trace } from '@opentelemetry/api'
import { createBroker, type EventInput, InvalidEventError, UnavailableError } from '@throughline/core'
import { eventually, memoryTransport, withSpans } from '@throughline/testkit'

const event = (id: string): EventInput => ({ id, type: 't', source: '/s' })
const attributes = (operation: 'create' | 'send', more: object) => ({
  'messaging.system': 'memory',
  'messaging.operation.name': operation,
  'messaging.operation.type': operation,
  'messaging.destination.name': 'readings',
  ...more,
})
const created = (id: string) =>
  attributes('create', {
    'messaging.message.id': id,
    'cloudevents.event_id': id,
    'cloudevents.event_source': '/s',
    'cloudevents.event_type': 't',
    'cloudevents.event_spec_version': '1.0',
  })

describe('several messages in one call', () => {
  test('are a create span each, whose context the message carries, and one send span that links to them', () =>
    withSpans(async (spans) => {
      const transport = memoryTransport()
      await using broker = createBroker(transport)
      const publisher = broker.publisher({ destination: 'readings' })
      await trace.getTracer('test').startActiveSpan('job', async (job) => {
        await publisher.publishAll([event('1'), event('2')])
        job.end()
      })
      await broker.subscribe({ destinations: ['readings'] }, () => undefined)
      await eventually(() => assert.equal(transport.unsettled(), 0))
      const [job] = spans.tree()
      assert.deepEqual(
        job?.children?.map(({ name, kind, links, attributes, children }) => ({
          name,
          kind,
          links,
          attributes,
          under: children?.map((child) => [child.name, child.links?.[0]?.to]),
        })),
        [
          {
            name: 'create readings',
            kind: 'PRODUCER',
            links: undefined,
            attributes: created('1'),
            under: [['process readings', 'create readings']],
          },
          {
            name: 'create readings',
            kind: 'PRODUCER',
            links: undefined,
            attributes: created('2'),
            under: [['process readings', 'create readings#2']],
          },
          {
            name: 'send readings',
            kind: 'CLIENT',
            links: [{ to: 'create readings' }, { to: 'create readings#2' }],
            attributes: attributes('send', { 'messaging.batch.message_count': 2 }),
            under: undefined,
          },
        ],
      )
    }))

  test('are a send span each where create spans are turned off', () =>
    withSpans(async (spans) => {
      await using broker = createBroker(memoryTransport())
      const publisher = broker.publisher({ destination: 'readings', createSpans: false })
      await publisher.publishAll([event('1'), event('2')])
      assert.deepEqual(
        spans.finished().map(({ name, attributes }) => [name, attributes['messaging.message.id']]),
        [
          ['send readings', '1'],
          ['send readings', '2'],
        ],
      )
    }))

  test('keep each to its own trace, and no link of 500 is lost', () =>
    withSpans(async (spans) => {
      const transport = memoryTransport()
      await using broker = createBroker(transport)
      const roots = Array.from({ length: 500 }, (_, index) =>
        trace.getTracer('test').startSpan(`root ${index}`),
      )
      const messages = roots.map((root, index) => ({
        ...transport.binding.encode(
          { specversion: '1.0', id: `${index}`, type: 't', source: '/s' },
          { mode: 'binary' },
        ),
        context: trace.setSpan(ROOT_CONTEXT, root),
      }))
      for (const root of roots) root.end()
      await broker.publisher({ destination: 'readings' }).publishMessages(messages)
      const creates = spans.named('create readings')
      assert.deepEqual(
        creates.map((span) => span.spanContext().traceId),
        roots.map((root) => root.spanContext().traceId),
      )
      const sends = spans.named('send readings')
      assert.deepEqual(
        sends.map(({ attributes }) => [
          attributes['throughline.batch.part'],
          attributes['messaging.batch.message_count'],
        ]),
        [
          ['1/4', 128],
          ['2/4', 128],
          ['3/4', 128],
          ['4/4', 116],
        ],
      )
      const linked = sends.flatMap(({ links }) => links.map(({ context }) => context.spanId))
      assert.deepEqual(
        linked,
        creates.map((span) => span.spanContext().spanId),
      )
    }))

  test('are answered one by one: what is invalid or refused takes no other with it', () =>
    withSpans(async (spans) => {
      const transport = memoryTransport()
      transport.failNext(1, new UnavailableError('away'))
      await using broker = createBroker(transport)
      const publisher = broker.publisher({ destination: 'readings' })
      const results = await publisher.publishAll([
        event('1'),
        { type: '', source: '/s' },
        event('3'),
        event('4'),
      ])
      assert.deepEqual(
        results.map((result) => (result.ok ? 'ok' : result.error.name)),
        ['UnavailableError', InvalidEventError.name, 'ok', 'ok'],
      )
      assert.equal(transport.messages('readings').length, 2)
      const [send] = spans.named('send readings')
      assert.equal(send?.status.message, '1 of 3 messages: away')
      assert.equal(send?.attributes['throughline.batch.failed_count'], 1)
      assert.equal(send?.attributes['error.type'], 'TL_UNAVAILABLE')
    }))

  test('leave no span open when the driver breaks', () =>
    withSpans(async (spans) => {
      const memory = memoryTransport()
      await using broker = createBroker({
        ...memory,
        publisher: (options: { destination: string }) => ({
          ...memory.publisher(options),
          publish: () => Promise.reject(new TypeError('broken')),
        }),
      })
      const publisher = broker.publisher({ destination: 'readings' })
      await assert.rejects(publisher.publish(event('1')), { code: 'TL_UNAVAILABLE' })
      const results = await publisher.publishAll([event('1'), event('2')])
      assert.ok(results.every(({ ok }) => !ok))
      assert.deepEqual(
        spans.named('send readings').map(({ status }) => status.message),
        ['the driver failed: broken', '2 of 2 messages: the driver failed: broken'],
      )
    }))

  test('that are none or one make no batch', () =>
    withSpans(async (spans) => {
      await using broker = createBroker(memoryTransport())
      const publisher = broker.publisher({ destination: 'readings' })
      assert.deepEqual(await publisher.publishAll([]), [])
      assert.equal((await publisher.publishAll([event('1')]))[0]?.ok, true)
      assert.deepEqual(
        spans.tree().map(({ name, kind }) => [name, kind]),
        [['send readings', 'PRODUCER']],
      )
    }))
})
