import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { propagation, ROOT_CONTEXT } from '@opentelemetry/api'
import { type ConsumeOptions, createBroker, headerText, type Message, withReplay } from '@throughline/core'
import { eventually, type MemoryTransport, memoryTransport, withSpans } from '@throughline/testkit'

const TIME = '2024-02-28T10:00:00.000Z'
const reading = { id: '1', type: 't', source: '/s', time: TIME }

async function consume(transport: MemoryTransport, options: ConsumeOptions = {}, destination = 'readings') {
  await using broker = createBroker(transport)
  await broker.subscribe({ destinations: [destination], group: destination, ...options }, () => undefined)
  await eventually(() => assert.equal(transport.unsettled(destination), 0))
}

describe('a replay', () => {
  test('is handled in a trace of its own that links to the send, which links to the first one', () =>
    withSpans(async (spans) => {
      const transport = memoryTransport()
      await using broker = createBroker(transport)
      await broker.publisher({ destination: 'readings' }).publish(reading)
      const [message] = transport.messages('readings')
      assert.ok(message)
      const before = structuredClone(message)
      await broker.publisher({ destination: 'again' }).publishMessages([withReplay(message)])
      assert.deepEqual(message, before, 'the message given is left as it was')
      await consume(transport, {}, 'again')
      const [first, replay, processed] = spans.tree()
      assert.equal(first?.name, 'send readings')
      assert.equal(replay?.name, 'send again')
      assert.deepEqual(replay?.links, [{ to: 'send readings', attributes: { replay: true } }])
      assert.equal(replay?.attributes?.['app.replay'], true)
      assert.equal(processed?.name, 'process again')
      assert.equal(processed?.parent, null)
      assert.equal(processed?.trace, 3)
      assert.deepEqual(processed?.links, [{ to: 'send again', attributes: { replay: true } }])
      assert.equal(processed?.attributes?.['app.replay'], true)
      assert.equal(processed?.attributes?.['app.original_timestamp'], TIME)
    }))

  test('of an event without a time has the broker’s', () =>
    withSpans(async (spans) => {
      const transport = memoryTransport()
      const raw: Message = { body: null, headers: [['Throughline-Replay', 'true']] }
      await transport.publisher({ destination: 'readings' }).publish([raw])
      await consume(transport, { onExhausted: 'drop' })
      const stamp = String(spans.named('process readings')[0]?.attributes['app.original_timestamp'])
      assert.ok(Math.abs(Date.parse(stamp) - Date.now()) < 60_000, stamp)
    }))

  test('keeps baggage of its own side, and drops a stranger’s', () =>
    withSpans(async () => {
      for (const [trust, expected] of [
        ['continue', 'a'],
        ['link', undefined],
      ] as const) {
        const transport = memoryTransport()
        await using broker = createBroker(transport)
        const baggage = propagation.createBaggage({ tenant: { value: 'a' } })
        const context = propagation.setBaggage(ROOT_CONTEXT, baggage)
        const message = {
          ...transport.binding.encode({ specversion: '1.0', ...reading }, { mode: 'binary' }),
          context,
        }
        await broker.publisher({ destination: 'readings' }).publishMessages([withReplay(message)])
        let seen: string | undefined
        await broker.subscribe({ destinations: ['readings'], trust }, () => {
          seen = propagation.getActiveBaggage()?.getEntry('tenant')?.value
        })
        await eventually(() => assert.equal(transport.unsettled(), 0))
        assert.equal(seen, expected)
      }
    }))

  test('in a batch is marked on its link', () =>
    withSpans(async (spans) => {
      const transport = memoryTransport()
      await using broker = createBroker(transport)
      const message = transport.binding.encode({ specversion: '1.0', ...reading }, { mode: 'binary' })
      const publisher = broker.publisher({ destination: 'readings' })
      await publisher.publishMessages([withReplay(message)])
      await publisher.publish({ ...reading, id: '2' })
      await broker.subscribeBatch({ destinations: ['readings'], maxMessages: 2 }, () => undefined)
      await eventually(() => assert.equal(transport.unsettled(), 0))
      assert.deepEqual(
        spans
          .named('process readings')[0]
          ?.links.map(({ attributes }) => [attributes?.replay, attributes?.['app.original_timestamp']]),
        [
          [true, TIME],
          [undefined, undefined],
        ],
      )
    }))

  test('that is given up is no replay as a dead letter', () =>
    withSpans(async () => {
      const transport = memoryTransport()
      await using broker = createBroker(transport)
      await broker
        .publisher({ destination: 'readings' })
        .publishMessages([withReplay({ body: null, headers: [] })])
      await consume(transport, { deadLetter: { publisher: broker.publisher({ destination: 'dead' }) } })
      assert.equal(headerText(transport.messages('dead')[0]?.headers ?? [], 'throughline-replay'), null)
    }))
})

describe('a message that waited', () => {
  const anHourAgo = (): Message => ({
    ...memoryTransport().binding.encode({ specversion: '1.0', ...reading }, { mode: 'binary' }),
    headers: [
      ['ce_id', '1'],
      ['ce_type', 't'],
      ['ce_source', '/s'],
      ['ce_specversion', '1.0'],
      ['ce_time', TIME],
      ['traceparent', '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01'],
      ['throughline-sent-at', String((Date.now() - 3_600_000) * 1000)],
    ],
  })
  const SEND = '4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7'

  test('longer than delayAfterMs is handled in a trace of its own', () =>
    withSpans(async (spans) => {
      const transport = memoryTransport()
      await transport.publisher({ destination: 'readings' }).publish([anHourAgo()])
      await consume(transport, { delayAfterMs: 60_000 })
      const [processed] = spans.tree()
      assert.equal(processed?.parent, null)
      assert.deepEqual(processed?.links, [{ to: SEND, attributes: { delayed: true } }])
      assert.equal(processed?.attributes?.['app.original_timestamp'], TIME)
      assert.equal(processed?.attributes?.['app.replay'], undefined)
    }))

  test('less, or where nothing was asked for, goes on in its trace', () =>
    withSpans(async (spans) => {
      for (const options of [{}, { delayAfterMs: 7_200_000 }]) {
        spans.reset()
        const transport = memoryTransport()
        await transport.publisher({ destination: 'readings' }).publish([anHourAgo()])
        await consume(transport, options)
        assert.equal(spans.tree()[0]?.parent, SEND)
      }
    }))

  test('an attempt that another process made is linked to where a header names it', () =>
    withSpans(async (spans) => {
      const transport = memoryTransport()
      const message = anHourAgo()
      const failed = '00-11111111111111111111111111111111-2222222222222222-01'
      const headers: Message['headers'] = [...message.headers, ['throughline-attempt-of', failed]]
      await transport.publisher({ destination: 'readings' }).publish([{ ...message, headers }])
      await consume(transport)
      assert.deepEqual(spans.tree()[0]?.links, [
        { to: SEND },
        { to: '11111111111111111111111111111111-2222222222222222', attributes: { retry: true } },
      ])
      spans.reset()
      await transport.publisher({ destination: 'readings' }).publish([{ ...message, headers }])
      await consume(transport, { trust: 'ignore' })
      assert.deepEqual(spans.tree()[0]?.links ?? [], [], 'a context that is not trusted names no attempt')
    }))
})
