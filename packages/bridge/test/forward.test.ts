import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ROOT_CONTEXT } from '@opentelemetry/api'
import { type Binding, type Delivery, headerText, type Message } from '@throughline/core'
import { httpBinding } from '@throughline/http'
import { kafkaBinding } from '@throughline/kafka'
import { mqttBinding } from '@throughline/mqtt'
import { rabbitmqBinding } from '@throughline/rabbitmq'
import { parseConfig } from '../src/config/read.ts'
import { createForward } from '../src/forward.ts'
import type { System } from '../src/headers.ts'

const BINDINGS: Readonly<Record<System, Binding>> = {
  http: httpBinding,
  kafka: kafkaBinding,
  mqtt: mqttBinding,
  rabbitmq: rabbitmqBinding,
}
const FROM: Readonly<Record<System, string>> = {
  http: '{ connection: http, path: /events, headers: [x-a] }',
  kafka: '{ connection: kafka, topics: from, group: g }',
  mqtt: '{ connection: mqtt, topics: "from/#" }',
  rabbitmq: '{ connection: rabbitmq, queue: from }',
}
const TO: Readonly<Record<System, string>> = {
  http: '{ connection: http, url: "http://h:1/x/{{ event.subject }}?y=1", headers: { x-a: configured } }',
  kafka: '{ connection: kafka, topic: to }',
  mqtt: '{ connection: mqtt, topic: "to/{{ event.subject }}" }',
  rabbitmq: '{ connection: rabbitmq, exchange: to, routingKey: "x.{{ event.subject }}" }',
}

function forward(
  from: System,
  to: System,
  message: Message,
  change: (yaml: string) => string = (yaml) => yaml,
): Message {
  const { routes } = parseConfig(
    change(`connections:
  http: { type: http, listen: "127.0.0.1:1" }
  kafka: { type: kafka, brokers: "k:1" }
  mqtt: { type: mqtt, url: "mqtt://m" }
  rabbitmq: { type: rabbitmq, url: "amqp://r" }
routes:
  r:
    from: ${FROM[from]}
    to: ${TO[to]}
`),
    'x.yaml',
    {},
  )
  const [route] = routes
  assert.ok(route)
  const source = { system: from, binding: BINDINGS[from] }
  const target = { system: to, binding: BINDINGS[to] }
  const forwarded = createForward({ route, source, target, onDropped: () => undefined })
  const delivery: Delivery = { message, position: { destination: 'from/x' }, attempt: 1 }
  return forwarded(BINDINGS[from].decode(message), delivery, ROOT_CONTEXT)
}

const event = {
  specversion: '1.0',
  id: 'ä %"1',
  source: '/s',
  type: 't',
  subject: 'sub 1',
  time: '2026-01-01T00:00:00.123456789+05:30',
  n: 7,
  flag: true,
} as const
const text = '{ "n": 1.0, "big": 9007199254740993, "list": [1,  2] }'

/** As another client of that transport would send it. */
function sent(system: System, mode: 'binary' | 'structured'): Message {
  const data = Buffer.from(text)
  return BINDINGS[system].encode({ ...event, datacontenttype: 'application/json', data }, { mode })
}

const systems: readonly System[] = ['http', 'kafka', 'mqtt']

for (const from of systems) {
  for (const to of systems) {
    test(`binary events keep attributes and the bytes of their data from ${from} to ${to}`, () => {
      const message = sent(from, 'binary')
      const made = forward(from, to, message)
      assert.equal(Buffer.from(made.body ?? []).toString(), text)
      const read = BINDINGS[to].decode(made)
      assert.deepEqual({ ...read, data: undefined }, { ...BINDINGS[from].decode(message), data: undefined })
    })

    test(`structured events keep their bytes from ${from} to ${to}`, () => {
      const message: Message = {
        body: Buffer.from(
          `{ "specversion": "1.0", "id": "1", "source": "/s", "type": "t", "subject": "s", "data": ${text} }`,
        ),
        headers: [],
        contentType: 'application/cloudevents+json',
      }
      const made = forward(from, to, message, (yaml) =>
        yaml.replace(/(to: .*) }\n/, '$1, mode: structured }\n'),
      )
      assert.deepEqual(made.body, message.body)
      assert.equal(made.contentType, 'application/cloudevents+json')
    })

    test(`a change of mode keeps attributes and values from ${from} to ${to}`, () => {
      const made = forward(from, to, sent(from, 'structured'))
      const read = BINDINGS[to].decode(made)
      assert.equal(read.id, event.id)
      assert.equal(read.time, event.time)
      assert.match(Buffer.from(made.body ?? []).toString(), /9007199254740993/)
    })

    test(`an event without data has none from ${from} to ${to}`, () => {
      const made = forward(from, to, BINDINGS[from].encode(event, { mode: 'binary' }))
      assert.equal(BINDINGS[to].decode(made).data, undefined)
    })
  }
}

test('a structured event that does not say so is read, and is binary afterwards', () => {
  const body = Buffer.from(
    '{"specversion":"1.0","id":"1","source":"/s","type":"t","subject":"s","data":{"a":1}}',
  )
  const made = forward('kafka', 'mqtt', { body, headers: [] })
  assert.equal(headerText(made.headers, 'id'), '1')
  assert.equal(Buffer.from(made.body ?? []).toString(), '{"a":1}')
})

test('an event with an origin goes to MQTT structured, its text still text and its origin untouched', () => {
  const traceparent = '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01'
  const message = kafkaBinding.encode(
    { ...event, traceparent, datacontenttype: 'text/plain', data: 'grün' },
    { mode: 'binary' },
  )
  const made = forward('kafka', 'mqtt', message)
  const json = JSON.parse(Buffer.from(made.body ?? []).toString())
  assert.equal(json.data, 'grün')
  assert.equal(json.traceparent, traceparent)
})

test('the destination is filled in, and a URL loses neither origin nor query', () => {
  assert.equal(forward('kafka', 'mqtt', sent('kafka', 'binary')).destination, 'to/sub 1')
  assert.equal(forward('kafka', 'http', sent('kafka', 'binary')).destination, '/x/sub%201?y=1')
  assert.equal(
    forward('kafka', 'kafka', sent('kafka', 'binary'), (yaml) => yaml.replace('topics: from', 'topics: else'))
      .destination,
    undefined,
  )
})

test("a header of the configuration goes before the event's own", () => {
  const message = sent('kafka', 'binary')
  const made = forward('kafka', 'http', {
    ...message,
    headers: [...message.headers, ['X-A', 'from the event'], ['x-b', 'b']],
  })
  assert.equal(headerText(made.headers, 'x-a'), null)
  assert.equal(headerText(made.headers, 'x-b'), 'b')
})

test('without a key of its own the target keeps order by what the source keeps it by', () => {
  const keyed = (yaml: string) => yaml.replace('topic: to }', 'topic: to, key: "{{ event.type }}" }')
  const bytes = Uint8Array.of(0, 255)
  const kafka = sent('kafka', 'binary')
  assert.equal(forward('kafka', 'kafka', { ...kafka, key: 'k' }).key, 'k')
  assert.deepEqual(forward('kafka', 'kafka', { ...kafka, key: bytes }).key, bytes)
  assert.equal(
    forward('kafka', 'kafka', { ...kafka, headers: [...kafka.headers, ['ce_partitionkey', 'p']] }).key,
    'p',
  )
  assert.equal(forward('kafka', 'kafka', kafka).key, undefined)
  assert.equal(forward('mqtt', 'kafka', sent('mqtt', 'binary')).key, 'from/x')
  assert.equal(forward('http', 'kafka', sent('http', 'binary')).key, 'sub 1')
  assert.equal(forward('kafka', 'kafka', { ...kafka, key: 'k' }, keyed).key, 't')
})
