import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type CloudEvent, createEvent, InvalidEventError, type Message } from '@throughline/core'
import { mqttBinding } from '../src/binding.ts'

const reading: CloudEvent = {
  specversion: '1.0',
  id: '1',
  source: '/station',
  type: 'com.example.sensor.reading',
  subject: 'sensor-001',
  time: '2024-05-01T10:00:00.123456789+02:00',
  sequence: 42,
  datacontenttype: 'application/json',
  data: { celsius: 21.5 },
}

test('binary mode writes bare attribute names as user properties and the content type as the property', () => {
  const message = mqttBinding.encode(reading, { mode: 'binary' })
  assert.deepEqual(message.headers, [
    ['specversion', '1.0'],
    ['id', '1'],
    ['source', '/station'],
    ['type', 'com.example.sensor.reading'],
    ['subject', 'sensor-001'],
    ['time', '2024-05-01T10:00:00.123456789+02:00'],
    ['sequence', '42'],
  ])
  assert.equal(message.contentType, 'application/json')
  assert.equal(Buffer.from(message.body ?? []).toString(), '{"celsius":21.5}')
})

test('binary mode is read back with every attribute', () => {
  const event = mqttBinding.decode(mqttBinding.encode(reading, { mode: 'binary' }))
  assert.deepEqual(event, { ...reading, sequence: '42' })
})

test('structured mode is read back whole, numbers as numbers', () => {
  const message = mqttBinding.encode(reading, { mode: 'structured' })
  assert.match(message.contentType ?? '', /^application\/cloudevents\+json/)
  assert.deepEqual(message.headers, [])
  assert.deepEqual(mqttBinding.decode(message), reading)
})

for (const name of ['traceparent', 'tracestate', 'baggage']) {
  test(`an event with a ${name} attribute is structured whatever the mode says`, () => {
    const event = createEvent({ type: 't', source: '/s', [name]: 'origin' })
    const message = mqttBinding.encode(event, { mode: 'binary' })
    assert.match(message.contentType ?? '', /^application\/cloudevents\+json/)
    assert.equal(mqttBinding.decode(message)[name], 'origin')
  })

  test(`a bare user property ${name} is the hop's context and never an attribute`, () => {
    const message = mqttBinding.encode(createEvent({ type: 't', source: '/s' }), { mode: 'binary' })
    const hopped: Message = { ...message, headers: [...message.headers, [name, 'hop']] }
    assert.equal(name in mqttBinding.decode(hopped), false)
  })
}

test('a structured event keeps its origin beside the hop context in the user properties', () => {
  const event = createEvent({ type: 't', source: '/s', traceparent: 'origin' })
  const message = mqttBinding.encode(event, { mode: 'binary' })
  const hopped: Message = { ...message, headers: [['traceparent', 'hop']] }
  assert.equal(mqttBinding.decode(hopped).traceparent, 'origin')
})

test('an event with an attribute that does not fit a user property is structured', () => {
  for (const [name, value] of [
    ['subject', 'x'.repeat(65_536)],
    ['blob', new Uint8Array(50_000)],
    ['subject', 'x'.repeat(65_535)],
  ] as const) {
    const event = createEvent({ type: 't', source: '/s', [name]: value })
    const message = mqttBinding.encode(event, { mode: 'binary' })
    assert.equal(message.contentType !== undefined, value.length !== 65_535)
    const read = mqttBinding.decode(message)[name]
    assert.equal(read, typeof value === 'string' ? value : Buffer.from(value).toString('base64'))
  }
})

test('user properties that are no attribute names are headers, not attributes', () => {
  const message = mqttBinding.encode(createEvent({ type: 't', source: '/s' }), { mode: 'binary' })
  const headers = [
    ...message.headers,
    ['throughline-sent-at', '1'],
    ['x_y', '2'],
    ['correlation-id', '3'],
    ['deviceId', '4'],
  ]
  const event = mqttBinding.decode({ ...message, headers: headers.map(([n = '', v = '']) => [n, v]) })
  assert.deepEqual(Object.keys(event).sort(), ['id', 'source', 'specversion', 'type'])
})

test('other user properties with a valid name are extension attributes', () => {
  const message = mqttBinding.encode(createEvent({ type: 't', source: '/s' }), { mode: 'binary' })
  const event = mqttBinding.decode({ ...message, headers: [...message.headers, ['room', 'attic']] })
  assert.equal(event.room, 'attic')
})

test('an event without data has an empty payload and is read back without data', () => {
  const message = mqttBinding.encode(createEvent({ type: 't', source: '/s' }), { mode: 'binary' })
  assert.equal(message.body?.byteLength, 0)
  assert.equal('data' in mqttBinding.decode(message), false)
})

test('JSON null is data and no data is not null', () => {
  const event = createEvent({ type: 't', source: '/s', data: null })
  const message = mqttBinding.encode(event, { mode: 'binary' })
  assert.equal(Buffer.from(message.body ?? []).toString(), 'null')
  assert.equal(mqttBinding.decode(message).data, null)
})

test('bytes stay bytes', () => {
  const data = Uint8Array.from({ length: 256 }, (_, index) => index)
  const event = createEvent({ type: 't', source: '/s', data, datacontenttype: 'application/octet-stream' })
  for (const mode of ['binary', 'structured'] as const) {
    const read = mqttBinding.decode(mqttBinding.encode(event, { mode })).data
    assert.ok(read instanceof Uint8Array)
    assert.deepEqual([...read], [...data])
  }
})

test('a JSON object with specversion and no content type is a structured event', () => {
  const body = Buffer.from(JSON.stringify({ ...reading, datacontenttype: undefined }))
  assert.equal(mqttBinding.decode({ body, headers: [] }).subject, 'sensor-001')
  assert.equal(
    mqttBinding.decode({
      body,
      headers: [
        ['traceparent', 'hop'],
        ['x-y', 'z'],
      ],
    }).id,
    '1',
  )
})

test('a message that is no event is refused with the attribute that is missing', () => {
  const message: Message = { body: Buffer.from('21.5'), headers: [['room', 'attic']] }
  assert.throws(() => mqttBinding.decode(message), InvalidEventError)
  assert.equal(mqttBinding.isEvent(message), false)
})

test('an invalid time is refused by name', () => {
  const message = mqttBinding.encode(createEvent({ type: 't', source: '/s' }), { mode: 'binary' })
  const broken: Message = { ...message, headers: [...message.headers, ['time', 'yesterday']] }
  assert.throws(
    () => mqttBinding.decode(broken),
    (error) => error instanceof InvalidEventError && error.attribute === 'time',
  )
})
