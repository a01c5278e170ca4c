import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Header, Message, MessageProperties } from '@throughline/core'
import { type HeaderRules, PROPERTIES, passOn, type System } from '../src/headers.ts'

function rules(from: System, to: System, more: Partial<HeaderRules> = {}): HeaderRules {
  return { from, to, allowed: new Set(), raw: false, context: true, ...more }
}

function passed(headers: readonly Header[], by: HeaderRules, properties?: MessageProperties) {
  const message: Message = { body: null, headers, ...(properties === undefined ? {} : { properties }) }
  return passOn(message, by)
}

test('from broker to broker all headers pass, in order and repeated ones too', () => {
  const headers: Header[] = [
    ['x-a', '1'],
    ['X-B', '2'],
    ['x-a', '3'],
  ]
  assert.deepEqual(passed(headers, rules('kafka', 'mqtt')).headers, headers)
  assert.deepEqual(passed(headers, rules('mqtt', 'kafka')).headers, headers)
})

test('from HTTP only the named ones pass', () => {
  const headers: Header[] = [
    ['User-Agent', 'curl'],
    ['X-Station', 'north'],
    ['x-other', 'no'],
  ]
  const { headers: kept } = passed(headers, rules('http', 'kafka', { allowed: new Set(['x-station']) }))
  assert.deepEqual(kept, [['X-Station', 'north']])
})

test('secrets and hop-by-hop headers never pass, even where they are named', () => {
  const names = [
    'Authorization',
    'cookie',
    'set-cookie',
    'Connection',
    'te',
    'content-length',
    'host',
    'proxy-authorization',
  ]
  const headers = names.map((name): Header => [name, 'x'])
  const allowed = new Set(names.map((name) => name.toLowerCase()))
  for (const [from, to] of [
    ['http', 'kafka'],
    ['kafka', 'http'],
    ['mqtt', 'mqtt'],
  ] as const) {
    assert.deepEqual(passed(headers, rules(from, to, { allowed })), {
      headers: [],
      dropped: [],
      properties: undefined,
    })
  }
})

test("attributes and the content type are the event's own and no headers beside it", () => {
  assert.deepEqual(
    passed(
      [
        ['ce_id', '1'],
        ['CE_type', 't'],
        ['content-type', 'a/b'],
      ],
      rules('kafka', 'mqtt'),
    ).headers,
    [],
  )
  assert.deepEqual(
    passed(
      [
        ['id', '1'],
        ['myext', 'x'],
        ['not-ext', 'y'],
      ],
      rules('mqtt', 'kafka'),
    ).headers,
    [['not-ext', 'y']],
  )
  const allowed = new Set(['ce-id'])
  assert.deepEqual(passed([['ce-id', '1']], rules('http', 'kafka', { allowed })).headers, [])
})

test('over MQTT case tells a property beside the event from an attribute', () => {
  const headers: Header[] = [
    ['deviceId', '7'],
    ['deviceid', '8'],
  ]
  assert.deepEqual(passed(headers, rules('mqtt', 'kafka')).headers, [['deviceId', '7']])
  assert.deepEqual(passed([['deviceId', '7']], rules('kafka', 'mqtt')).headers, [['deviceId', '7']])
})

test('on a raw route they are headers like all others', () => {
  assert.deepEqual(
    passed(
      [
        ['ce_id', '1'],
        ['plain', 'x'],
      ],
      rules('kafka', 'mqtt', { raw: true }),
    ).headers,
    [
      ['ce_id', '1'],
      ['plain', 'x'],
    ],
  )
})

test('a header that would become an attribute at the target goes under another name', () => {
  assert.deepEqual(passed([['color', 'red']], rules('kafka', 'mqtt')).headers, [['color-b64', 'cmVk']])
  assert.deepEqual(passed([['ce-x', 'red']], rules('kafka', 'http')), {
    headers: [],
    dropped: ['ce-x'],
    properties: undefined,
  })
  assert.deepEqual(passed([['ce_x-y', 'red']], rules('mqtt', 'kafka')).dropped, ['ce_x-y'])
})

test('attributes of RabbitMQ are known by both separators, in any case, and are no headers beside the event', () => {
  const headers: Header[] = [
    ['cloudEvents:id', '1'],
    ['cloudEvents_type', 't'],
    ['CLOUDEVENTS:source', '/s'],
    ['tenant', 'acme'],
  ]
  assert.deepEqual(passed(headers, rules('rabbitmq', 'kafka')).headers, [['tenant', 'acme']])
  assert.deepEqual(passed([['cloudEvents:id', '1']], rules('kafka', 'rabbitmq')).dropped, ['cloudEvents:id'])
  assert.deepEqual(passed([['n'.repeat(256), 'x']], rules('kafka', 'rabbitmq')).dropped, ['n'.repeat(256)])
  assert.deepEqual(passed([['bytes', Uint8Array.of(0xff)]], rules('kafka', 'rabbitmq')).headers, [
    ['bytes-b64', '/w=='],
  ])
})

test('what the target cannot express is base64 under the name and -b64, else dropped and named', () => {
  const bytes = Uint8Array.of(0xff, 0x00)
  assert.deepEqual(passed([['x-bytes', bytes]], rules('kafka', 'kafka')).headers, [['x-bytes', bytes]])
  assert.deepEqual(passed([['x-bytes', bytes]], rules('kafka', 'mqtt')).headers, [['x-bytes-b64', '/wA=']])
  assert.deepEqual(passed([['x-text', Buffer.from('grün')]], rules('kafka', 'mqtt')).headers, [
    ['x-text', 'grün'],
  ])
  assert.deepEqual(passed([['x-text', 'grün']], rules('kafka', 'http')).headers, [['x-text-b64', 'Z3LDvG4=']])
  assert.deepEqual(passed([['x-line', 'a\r\nb: c']], rules('kafka', 'http')).headers, [
    ['x-line-b64', 'YQ0KYjogYw=='],
  ])
  assert.deepEqual(passed([['x-edge', ' a']], rules('kafka', 'http')).headers, [['x-edge-b64', 'IGE=']])
  assert.deepEqual(
    passed(
      [
        ['a b', 'x'],
        ['', 'y'],
      ],
      rules('kafka', 'http'),
    ).dropped,
    ['a b', ''],
  )
  assert.deepEqual(passed([['n\0l', 'x']], rules('kafka', 'mqtt')).dropped, ['n\0l'])
  assert.deepEqual(passed([['x-empty', '']], rules('kafka', 'http')).headers, [['x-empty', '']])
})

test('a trace context passes where its sender is trusted, and the hop headers of our own never do', () => {
  const headers: Header[] = [
    ['traceparent', '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01'],
    ['baggage', 'a=b'],
    ['throughline-sent-at', '1'],
  ]
  assert.deepEqual(
    passed(headers, rules('http', 'mqtt')).headers.map(([name]) => name),
    ['traceparent', 'baggage'],
  )
  assert.deepEqual(passed(headers, rules('http', 'mqtt', { context: false })).headers, [])
})

test('properties travel as the table says: as property where the target has it, else as header', () => {
  assert.deepEqual(
    Object.entries(PROPERTIES).map(([name, { header, native }]) => [name, header, native]),
    [
      ['messageId', 'message-id', { rabbitmq: 'message_id' }],
      ['correlationId', 'correlation-id', { mqtt: 'Correlation Data', rabbitmq: 'correlation_id' }],
      ['replyTo', 'reply-to', { mqtt: 'Response Topic', rabbitmq: 'reply_to' }],
      ['expiryMs', null, { mqtt: 'Message Expiry Interval', rabbitmq: 'expiration' }],
      ['timestampMs', null, { rabbitmq: 'timestamp' }],
      ['priority', null, { rabbitmq: 'priority' }],
    ],
  )
  const all = { correlationId: 'c1', replyTo: 'answers/1', expiryMs: 5000, timestampMs: 1 }
  assert.deepEqual(passed([], rules('mqtt', 'mqtt'), all), {
    headers: [],
    dropped: [],
    properties: { correlationId: 'c1', replyTo: 'answers/1', expiryMs: 5000 },
  })
  const asHeaders: Header[] = [
    ['correlation-id', 'c1'],
    ['reply-to', 'answers/1'],
  ]
  assert.deepEqual(passed([], rules('mqtt', 'kafka'), all), {
    headers: asHeaders,
    dropped: [],
    properties: undefined,
  })
  assert.deepEqual(passed(asHeaders, rules('kafka', 'mqtt')), {
    headers: [],
    dropped: [],
    properties: { correlationId: 'c1', replyTo: 'answers/1' },
  })
  assert.deepEqual(passed(asHeaders, rules('kafka', 'kafka')).headers, asHeaders)
  const rabbit = { messageId: 'm1', ...all, priority: 3 }
  assert.deepEqual(passed([], rules('rabbitmq', 'rabbitmq'), rabbit).properties, rabbit)
  assert.deepEqual(passed([], rules('rabbitmq', 'mqtt'), rabbit), {
    headers: [['message-id', 'm1']],
    dropped: [],
    properties: { correlationId: 'c1', replyTo: 'answers/1', expiryMs: 5000 },
  })
  assert.deepEqual(passed([['message-id', 'é'.repeat(128)]], rules('kafka', 'rabbitmq')), {
    headers: [['message-id', 'é'.repeat(128)]],
    dropped: [],
    properties: undefined,
  })
})

test('a response topic that MQTT refuses stays a header, and one from HTTP has to be named', () => {
  assert.deepEqual(passed([['reply-to', 'a/#']], rules('kafka', 'mqtt')), {
    headers: [['reply-to', 'a/#']],
    dropped: [],
    properties: undefined,
  })
  assert.equal(passed([['reply-to', 'a']], rules('http', 'mqtt')).properties, undefined)
  assert.deepEqual(
    passed([['reply-to', 'a']], rules('http', 'mqtt', { allowed: new Set(['reply-to']) })).properties,
    { replyTo: 'a' },
  )
})
