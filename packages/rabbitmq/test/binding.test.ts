import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type CloudEvent, createEvent, InvalidEventError, type Message } from '@throughline/core'
import { rabbitmqBinding } from '../src/binding.ts'
import { contentHeaderOf, messageOf } from '../src/properties.ts'

const event = createEvent({
  id: 'Zürich "€" 100 %',
  source: '/till/1',
  type: 'com.example.payment',
  subject: '4711',
  time: '2016-12-31T23:59:60.123456789+01:00',
  count: -5,
  flag: true,
  bin: Uint8Array.of(0, 255),
  data: { amount: 5 },
})

/** The message as it comes off the wire. */
function carried(message: Message): Message {
  const { contentType, ...rest } = contentHeaderOf(message, 131_072)
  return messageOf({ ...rest, body: Buffer.from(message.body ?? []) }, contentType)
}

const headerNames = (message: Message) => message.headers.map(([name]) => name)
const minimal = { id: '1', source: '/s', type: 't' }

/** A message in binary mode of somebody else's. */
function received(headers: Record<string, unknown>, contentType?: string, body = ''): Message {
  return messageOf({ headers, body: Buffer.from(body) }, contentType)
}

test('binary mode writes cloudEvents: headers as strings and the content type as the property', () => {
  const message = rabbitmqBinding.encode(event, { mode: 'binary' })
  assert.deepEqual(
    message.headers,
    [
      ['cloudEvents:id', 'Zürich "€" 100 %'],
      ['cloudEvents:source', '/till/1'],
      ['cloudEvents:type', 'com.example.payment'],
      ['cloudEvents:subject', '4711'],
      ['cloudEvents:time', '2016-12-31T23:59:60.123456789+01:00'],
      ['cloudEvents:count', '-5'],
      ['cloudEvents:flag', 'true'],
      ['cloudEvents:bin', 'AP8='],
      ['cloudEvents:specversion', '1.0'],
    ].sort(byOrderIn(headerNames(message))),
  )
  assert.equal(message.contentType, 'application/json')
  assert.equal(Buffer.from(message.body ?? []).toString(), '{"amount":5}')
})

function byOrderIn(names: readonly string[]) {
  return ([a = '']: readonly string[], [b = '']: readonly string[]) => names.indexOf(a) - names.indexOf(b)
}

test('both modes are read back', () => {
  const texts = { count: '-5', flag: 'true', bin: 'AP8=' }
  const binary = rabbitmqBinding.decode(carried(rabbitmqBinding.encode(event, { mode: 'binary' })))
  assert.deepEqual(binary, { ...event, ...texts, datacontenttype: 'application/json' })
  const structured = carried(rabbitmqBinding.encode(event, { mode: 'structured' }))
  assert.equal(structured.contentType, 'application/cloudevents+json; charset=utf-8')
  assert.deepEqual(structured.headers, [])
  assert.deepEqual(rabbitmqBinding.decode(structured), { ...event, bin: 'AP8=' })
})

for (const prefix of ['cloudEvents:', 'cloudEvents_', 'cloudevents:', 'CloudEvents_']) {
  test(`attributes with ${prefix} are read`, () => {
    const headers = Object.fromEntries(
      Object.entries({ ...minimal, specversion: '1.0', ext: 'x' }).map(([name, value]) => [
        prefix + name,
        value,
      ]),
    )
    const message = received({ ...headers, other: 'no attribute' }, 'text/plain', 'hi')
    assert.equal(rabbitmqBinding.isEvent(message), true)
    const expected = { ...minimal, specversion: '1.0', ext: 'x', datacontenttype: 'text/plain', data: 'hi' }
    assert.deepEqual(rabbitmqBinding.decode(message), expected)
  })
}

test("AMQP's own types in attributes are read as CloudEvents writes them", () => {
  const attributes = { ...minimal, specversion: '1.0', time: 1_483_228_799, count: 2 ** 31 - 1, flag: false }
  const headers = Object.fromEntries(
    Object.entries(attributes).map(([name, value]) => [`cloudEvents:${name}`, value]),
  )
  const raw = { 'cloudEvents:bin': Buffer.from([0, 255]), 'cloudEvents:subject': Buffer.from('Zürich') }
  const decoded = rabbitmqBinding.decode(received({ ...headers, ...raw }))
  const { time, count, flag, bin, subject } = decoded
  assert.deepEqual([time, count, flag], ['2016-12-31T23:59:59Z', '2147483647', 'false'])
  assert.deepEqual([bin, subject], ['AP8=', 'Zürich'])
})

test('the hop context in the headers is none of the event', () => {
  const message = rabbitmqBinding.encode(createEvent({ ...minimal, traceparent: 'origin' }), {
    mode: 'binary',
  })
  const headers: Message['headers'] = [...message.headers, ['traceparent', 'hop']]
  assert.equal(rabbitmqBinding.decode(carried({ ...message, headers })).traceparent, 'origin')
})

test('an event with an attribute that no header holds is structured', () => {
  const large: CloudEvent[] = [
    createEvent({ ...minimal, ext: 'x'.repeat(65_537) }),
    createEvent({ ...minimal, ['e'.repeat(244)]: 'x' }),
    createEvent({ ...minimal, datacontenttype: `text/plain; x=${'y'.repeat(250)}`, data: 'x' }),
  ]
  for (const each of large) {
    const message = rabbitmqBinding.encode(each, { mode: 'binary' })
    assert.equal(message.contentType, 'application/cloudevents+json; charset=utf-8')
    assert.deepEqual(rabbitmqBinding.decode(carried(message)), each)
  }
})

test('no data is an empty body, and read back as none', () => {
  const message = rabbitmqBinding.encode(createEvent(minimal), { mode: 'binary' })
  assert.deepEqual(message.body, new Uint8Array(0))
  assert.equal('data' in rabbitmqBinding.decode(carried(message)), false)
})

test('a JSON object with specversion and no content type is a structured event', () => {
  const message = received({}, undefined, JSON.stringify({ specversion: '1.0', ...minimal }))
  assert.equal(rabbitmqBinding.isEvent(message), true)
  assert.deepEqual(rabbitmqBinding.decode(message), { specversion: '1.0', ...minimal })
})

test('a message that is no event is refused with the attribute that is missing', () => {
  assert.throws(
    () => rabbitmqBinding.decode(received({ a: 'b' })),
    (error) => error instanceof InvalidEventError && error.attribute === 'specversion',
  )
})
