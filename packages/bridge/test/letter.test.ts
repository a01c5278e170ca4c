import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createBroker, DEAD_LETTER_HEADERS, type Header, headerText, type Message } from '@throughline/core'
import { httpBinding } from '@throughline/http'
import { kafkaBinding } from '@throughline/kafka'
import { mqttBinding } from '@throughline/mqtt'
import { memoryTransport } from '@throughline/testkit'
import type { Side } from '../src/forward.ts'
import { deadLetterPublisher } from '../src/letter.ts'

const HTTP: Side = { system: 'http', binding: httpBinding }
const KAFKA: Side = { system: 'kafka', binding: kafkaBinding }
const MQTT: Side = { system: 'mqtt', binding: mqttBinding }
const FACTS: Header[] = [
  [DEAD_LETTER_HEADERS.reason, 'no – wildcard'],
  [DEAD_LETTER_HEADERS.source, 'a/b'],
]
const event = { specversion: '1.0', id: '1', source: '/s', type: 't' } as const

async function lettered(
  source: Side,
  target: Side,
  message: Message,
  allowed: string[] = [],
): Promise<Message> {
  const memory = memoryTransport()
  await using broker = createBroker(memory)
  const publisher = broker.publisher({ destination: 'dead' })
  const rules = {
    from: source.system,
    to: target.system,
    allowed: new Set(allowed),
    raw: false,
    context: true,
  }
  const letters = deadLetterPublisher({ publisher, source, target, rules })
  const [result] = await letters.publishMessages([{ ...message, headers: [...message.headers, ...FACTS] }])
  assert.ok(result?.ok)
  const [letter] = memory.messages('dead')
  assert.ok(letter)
  return letter
}

test('an event is kept in the binding of where it is kept, with its reason', async () => {
  const came = mqttBinding.encode(
    { ...event, datacontenttype: 'application/json', data: Buffer.from('{ "a": 1.0 }') },
    { mode: 'binary' },
  )
  const letter = await lettered(MQTT, KAFKA, { ...came, headers: [...came.headers, ['x-app', 'y']] })
  assert.equal(Buffer.from(letter.body ?? []).toString(), '{ "a": 1.0 }')
  assert.equal(kafkaBinding.decode(letter).id, '1')
  assert.equal(headerText(letter.headers, 'id'), null)
  assert.equal(headerText(letter.headers, 'x-app'), 'y')
  assert.equal(headerText(letter.headers, DEAD_LETTER_HEADERS.reason), 'no – wildcard')
})

test('what is no event is kept as it came, with the headers that were to be attributes', async () => {
  const letter = await lettered(MQTT, KAFKA, {
    body: Buffer.from('x'),
    headers: [
      ['id', '1'],
      ['x-a', 'b'],
    ],
    contentType: 'a/b',
    key: 'k',
  })
  assert.deepEqual(letter.headers.slice(0, 2), [
    ['id', '1'],
    ['x-a', 'b'],
  ])
  assert.equal(letter.contentType, 'a/b')
  assert.equal(letter.key, 'k')
})

test("a request's secrets are not kept, and only the headers that the route passes", async () => {
  const came = httpBinding.encode(event, { mode: 'binary' })
  const headers: Header[] = [
    ...came.headers,
    ['authorization', 'Bearer secret'],
    ['cookie', 'c'],
    ['x-a', '1'],
    ['x-b', '2'],
  ]
  const letter = await lettered(HTTP, KAFKA, { ...came, headers }, ['x-a'])
  assert.equal(kafkaBinding.decode(letter).id, '1')
  assert.equal(headerText(letter.headers, 'x-a'), '1')
  for (const name of ['authorization', 'cookie', 'x-b']) assert.equal(headerText(letter.headers, name), null)
})

test('a reason that the place of dead letters cannot carry as it is goes in base64', async () => {
  const letter = await lettered(KAFKA, HTTP, kafkaBinding.encode(event, { mode: 'binary' }))
  const encoded = headerText(letter.headers, `${DEAD_LETTER_HEADERS.reason}-b64`) ?? ''
  assert.equal(Buffer.from(encoded, 'base64').toString(), 'no – wildcard')
  assert.equal(headerText(letter.headers, DEAD_LETTER_HEADERS.source), 'a/b')
})
