import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { Attributes } from '@opentelemetry/api'
import { type CaptureOptions, createBroker, headerText, type MessageInput } from '@throughline/core'
import { eventually, memoryTransport, withSpans } from '@throughline/testkit'

const secretive: MessageInput = {
  body: JSON.stringify({
    sensor: 's1',
    apiKey: 'k',
    user: { name: 'a', Password: 'p', pin: 1234 },
    tokens: ['t'],
    callback: 'https://me:pw@example.com/x',
  }),
  contentType: 'application/json',
  headers: [
    ['Tenant', 'a'],
    ['tenant', 'b'],
    ['Authorization', 'Bearer t'],
    ['x-pin', '1234'],
    ['reply', 'amqp://me:pw@broker/'],
  ],
}

/** What the send and the process span carry of one message. */
async function captured(capture: CaptureOptions | undefined, message: MessageInput = secretive) {
  return withSpans(async (spans): Promise<readonly Attributes[]> => {
    const transport = memoryTransport()
    await using broker = createBroker(transport)
    const options = capture === undefined ? {} : { capture }
    await broker.publisher({ destination: 'readings', ...options }).publish(message)
    await broker.subscribe({ destinations: ['readings'], raw: true, ...options }, () => undefined)
    await eventually(() => assert.equal(transport.unsettled(), 0))
    return spans.finished().map(({ attributes }) => attributes)
  })
}

const named = (attributes: Attributes, pattern: RegExp) =>
  Object.fromEntries(Object.entries(attributes).filter(([name]) => pattern.test(name)))

describe('what spans carry of a message', () => {
  test('is nothing unless it was asked for', async () => {
    for (const attributes of await captured(undefined)) {
      assert.deepEqual(named(attributes, /header|body/), {})
    }
  })

  test('headers by name, every value, in any case', async () => {
    for (const attributes of await captured({ headers: ['TENANT', 'absent'] })) {
      assert.deepEqual(named(attributes, /header/), { 'messaging.header.tenant': ['a', 'b'] })
    }
  })

  test('never a secret: not in headers, not in members of JSON however deep, not in addresses', async () => {
    for (const attributes of await captured({ headers: 'all', bodyChars: 1000, redact: ['PIN', 'x-pin'] })) {
      assert.deepEqual(attributes['messaging.header.authorization'], ['[redacted]'])
      assert.deepEqual(attributes['messaging.header.x-pin'], ['[redacted]'])
      assert.deepEqual(attributes['messaging.header.reply'], ['amqp://broker/'])
      assert.deepEqual(JSON.parse(String(attributes['throughline.message.body'])), {
        sensor: 's1',
        apiKey: '[redacted]',
        user: { name: 'a', Password: '[redacted]', pin: '[redacted]' },
        tokens: '[redacted]',
        callback: 'https://example.com/x',
      })
    }
  })

  test('a body is cut, and one that says it is JSON and is not is left out', async () => {
    const cases: [body: string | Uint8Array, contentType: string | undefined, text: string | undefined][] = [
      ['{"password":"p","x":1}', undefined, '{"passwor'],
      ['hello, all of you', 'text/plain', 'hello, al'],
      ['{"password": "p"', 'application/json', undefined],
      ['not json', 'application/vnd.x+json', undefined],
      [Uint8Array.of(255, 0, 254), undefined, '/wD+'],
      [`"${'x'.repeat(300_000)}"`, 'application/json', undefined],
    ]
    for (const [body, contentType, text] of cases) {
      const message = { body, ...(contentType === undefined ? {} : { contentType }) }
      for (const attributes of await captured({ bodyChars: 9 }, message)) {
        assert.equal(attributes['throughline.message.body'], text)
      }
    }
  })

  test('its size in bytes', async () => {
    for (const [body, size] of [
      ['ü', 2],
      [null, 0],
    ] as const) {
      for (const attributes of await captured({ bodySize: true }, { body })) {
        assert.equal(attributes['messaging.message.body.size'], size)
      }
    }
  })
})

test('a correlation header carries the trace id, once, also in a batch', () =>
  withSpans(async (spans) => {
    const transport = memoryTransport()
    await using broker = createBroker(transport)
    const publisher = broker.publisher({ destination: 'readings', correlationHeader: 'correlation_id' })
    const message: MessageInput = { body: 'x', headers: { Correlation_ID: 'old' } }
    await publisher.publish(message)
    await publisher.publishAll([message, message])
    const traces = [...spans.named('send readings').slice(0, 1), ...spans.named('create readings')]
    const messages = transport.messages('readings')
    assert.deepEqual(
      messages.map(({ headers }) => headerText(headers, 'correlation_id')),
      traces.map((span) => span.spanContext().traceId),
    )
    assert.ok(
      messages.every(({ headers }) => headers.filter(([name]) => /correlation/i.test(name)).length === 1),
    )
  }))
