import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type CloudEvent, createEvent, type Message, PermanentError } from '@throughline/core'
import { isStatic, parseTemplate, readsEvent, render, spanNameOf, type Target } from '../src/template.ts'

const message: Message = { body: null, headers: [['x-site', 'north']], key: 'k1' }

function eventOf(subject: string | undefined, data?: unknown): CloudEvent {
  return createEvent({
    id: '1',
    type: 't',
    source: '/s',
    ...(subject === undefined ? {} : { subject }),
    data,
  })
}

function rendered(source: string, target: Target, event: CloudEvent | undefined): string {
  return render(parseTemplate(source), { event, message }, target)
}

function refused(source: string, target: Target, event: CloudEvent | undefined, expected: RegExp): void {
  assert.throws(
    () => rendered(source, target, event),
    (error) => {
      assert.ok(error instanceof PermanentError)
      assert.equal(error.code, 'TL_TEMPLATE')
      assert.match(error.message, expected)
      return true
    },
  )
}

test('attributes, members of data, the key and headers are filled in', () => {
  const event = eventOf('s1', { id: 7, ok: true, list: [{ name: 'a' }], 'deep-er': 'x' })
  assert.equal(
    rendered('{{event.subject}}/{{ event.data.id }}/{{ event.data.ok }}', 'mqttTopic', event),
    's1/7/true',
  )
  assert.equal(rendered('{{ event.data.list.0.name }}-{{ event.data.deep-er }}', 'kafkaTopic', event), 'a-x')
  assert.equal(rendered('{{ message.key }}:{{ message.headers.X-Site }}', 'kafkaKey', undefined), 'k1:north')
})

test('a missing value, an object and data that is no JSON are errors of that event', () => {
  refused('{{ event.subject }}', 'kafkaKey', eventOf(undefined), /^event\.subject is missing$/)
  refused('{{ event.data.a.b }}', 'kafkaKey', eventOf('s', { a: 1 }), /^event\.data\.a\.b is missing$/)
  refused('{{ event.data.a }}', 'kafkaKey', eventOf('s', { a: null }), /^event\.data\.a is missing$/)
  refused('{{ event.data.a }}', 'kafkaKey', eventOf('s', { a: {} }), /is not one text but an object$/)
  refused('{{ event.data.a }}', 'kafkaKey', eventOf('s', 'text'), /the event's data is not JSON$/)
  refused('{{ event.data.constructor }}', 'kafkaKey', eventOf('s', {}), /is missing$/)
  refused('{{ event.data.__proto__.x }}', 'kafkaKey', eventOf('s', {}), /is missing$/)
  refused('{{ message.headers.none }}', 'kafkaKey', undefined, /is missing$/)
})

test('an MQTT topic gets no wildcard, NUL, leading $ or empty level from an event', () => {
  for (const [subject, why] of [
    ['a+b', /has an MQTT wildcard/],
    ['#', /has an MQTT wildcard/],
    ['/a', /makes an empty topic level/],
    ['a/', /makes an empty topic level/],
    ['a//b', /makes an empty topic level/],
  ] as const) {
    refused('alerts/{{ event.subject }}', 'mqttTopic', eventOf(subject), why)
  }
  refused('{{ event.data.x }}', 'mqttTopic', eventOf('s', { x: '$SYS/x' }), /begins with \$/)
  refused(
    'a/{{ event.data.x }}',
    'mqttTopic',
    eventOf('s', { x: 'n\0l' }),
    /a character that MQTT does not allow/,
  )
  refused(
    'a/{{ event.data.x }}',
    'mqttTopic',
    eventOf('s', { x: '\ud800' }),
    /a character that MQTT does not allow/,
  )
  refused('a/{{ event.data.x }}', 'mqttTopic', eventOf('s', { x: '' }), /makes an empty topic level/)
  refused(
    'a/{{ event.data.x }}',
    'mqttTopic',
    eventOf('s', { x: 'x'.repeat(70_000) }),
    /longer than 65,535 bytes/,
  )
  assert.equal(
    rendered('alerts/{{ event.subject }}', 'mqttTopic', eventOf('floor1/günther')),
    'alerts/floor1/günther',
  )
})

test('a Kafka topic stays a legal one', () => {
  for (const subject of ['a b', 'a/b', 'ä', 'x'.repeat(250)]) {
    refused('t-{{ event.subject }}', 'kafkaTopic', eventOf(subject), /is no Kafka topic name|longer than 249/)
  }
  refused('{{ event.subject }}', 'kafkaTopic', eventOf('..'), /no Kafka topic can be called/)
})

test('a URL value stays inside its segment', () => {
  const url = 'http://host:1/a/{{ event.subject }}?q={{ event.subject }}'
  assert.equal(
    rendered(url, 'url', eventOf('x y/../z?#&')),
    'http://host:1/a/x%20y%2F..%2Fz%3F%23%26?q=x%20y%2F..%2Fz%3F%23%26',
  )
  assert.equal(rendered(url, 'url', eventOf('%2e%2e')), 'http://host:1/a/%252e%252e?q=%252e%252e')
  for (const subject of ['.', '..']) refused(url, 'url', eventOf(subject), /is no URL path segment/)
})

test('an enormous or hostile value is cut in the error', () => {
  assert.throws(
    () => rendered('t-{{ event.data.x }}', 'kafkaTopic', eventOf('s', { x: ' '.repeat(1 << 20) })),
    (error: Error) => error.message.length < 300,
  )
})

test('what is no template is said when it is parsed', () => {
  for (const [source, why] of [
    ['a {{ event.subject', /a {{ or }} has no partner/],
    ['a }} b', /a {{ or }} has no partner/],
    ['{{ }}', /is not a path/],
    ['{{ event.subject | upper }}', /is not a path/],
    ['{{ event }}', /is unknown/],
    ['{{ event.Subject }}', /lower-case/],
    ['{{ event.subject.x }}', /is unknown/],
    ['{{ event.data }}', /is not one value/],
    ['{{ data.x }}', /is unknown/],
    ['{{ message.body }}', /is unknown/],
  ] as const) {
    assert.throws(
      () => parseTemplate(source),
      (error) => error instanceof SyntaxError && why.test(error.message),
      source,
    )
  }
})

test('spans get a name that is the same for all events', () => {
  assert.equal(
    spanNameOf(parseTemplate('sensors/{{ event.subject }}/reading')),
    'sensors/{event.subject}/reading',
  )
  assert.equal(spanNameOf(parseTemplate('plain?x')), 'plain?x')
  assert.equal(spanNameOf(parseTemplate('http://h:1/a/{{ event.id }}?q=1')), '/a/{event.id}')
  assert.equal(spanNameOf(parseTemplate('http://h:1')), '/')
})

test('static templates and those that need an event are told apart', () => {
  assert.ok(isStatic(parseTemplate('a')))
  assert.ok(!isStatic(parseTemplate('{{ message.key }}')))
  assert.ok(!readsEvent(parseTemplate('{{ message.key }}')))
  assert.ok(readsEvent(parseTemplate('a{{ event.id }}')))
})
