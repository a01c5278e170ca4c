import assert from 'node:assert/strict'
import { test } from 'node:test'
import { readMeaning } from '../../src/journey/semantics.ts'
import { recordsOf, type SpanSpec } from '../otlp-json.ts'

const meaningOf = (spec: Omit<SpanSpec, 'trace' | 'id'>) => {
  const [record] = recordsOf([{ trace: '1', id: '1', ...spec }])
  assert.ok(record)
  return readMeaning(record.span)
}

test('the role is that of the operation type, else the old operation, else the kind, and the name last', () => {
  const cases: [Omit<SpanSpec, 'trace' | 'id'>, string][] = [
    [
      {
        kind: 'CLIENT',
        attributes: { 'messaging.operation.type': 'receive', 'messaging.operation.name': 'poll' },
      },
      'receive',
    ],
    [{ kind: 'CLIENT', attributes: { 'messaging.operation.type': 'publish' } }, 'send'],
    [
      {
        kind: 'CLIENT',
        attributes: { 'messaging.operation.type': 'settle', 'messaging.operation.name': 'ack' },
      },
      'settle',
    ],
    [{ kind: 'CONSUMER', attributes: { 'messaging.operation': 'process' } }, 'process'],
    [{ kind: 'PRODUCER', attributes: { 'messaging.operation.name': 'publish' } }, 'send'],
    [{ kind: 'PRODUCER', name: 'create orders' }, 'create'],
    [{ kind: 'PRODUCER', name: 'orders send' }, 'send'],
    [{ kind: 'CONSUMER', name: 'orders receive' }, 'receive'],
    [{ kind: 'CONSUMER', name: 'recv' }, 'receive'],
    [{ kind: 'CONSUMER', name: 'anything' }, 'process'],
    [{ kind: 'CLIENT', name: 'basic.nack', attributes: { 'messaging.system': 'rabbitmq' } }, 'settle'],
    [{ kind: 'CLIENT', name: 'queue.declare', attributes: { 'messaging.system': 'rabbitmq' } }, 'client'],
    [{ kind: 'CLIENT', name: 'ack' }, 'client'],
    [{ kind: 'SERVER', name: 'POST /process' }, 'server'],
    [{ name: 'process' }, 'internal'],
  ]
  for (const [spec, role] of cases) assert.equal(meaningOf(spec).role, role, JSON.stringify(spec))
})

test('destinations have one spelling', () => {
  const rabbit = (attributes: Record<string, unknown>, spec: Partial<SpanSpec> = {}) =>
    meaningOf({ kind: 'PRODUCER', ...spec, attributes: { 'messaging.system': 'rabbitmq', ...attributes } })
      .destination
  assert.equal(rabbit({ 'messaging.destination': ',queue' }), 'queue')
  assert.equal(rabbit({ 'messaging.destination': 'exchange,key' }), 'exchange:key')
  assert.equal(rabbit({ 'messaging.destination': '', 'messaging.rabbitmq.routing_key': 'queue' }), 'queue')
  assert.equal(
    rabbit({
      'messaging.destination.name': '<default>',
      'messaging.rabbitmq.destination.routing_key': 'queue',
    }),
    'queue',
  )
  assert.equal(rabbit({ 'messaging.destination': '' }, { kind: 'CONSUMER', name: 'queue process' }), 'queue')
  assert.equal(
    rabbit({ 'messaging.destination.name': 'exchange', 'messaging.rabbitmq.destination.routing_key': 'key' }),
    'exchange:key',
  )
  const kafka = (attributes: Record<string, unknown>) =>
    meaningOf({ kind: 'CONSUMER', attributes: { 'messaging.system': 'kafka', ...attributes } }).destination
  assert.equal(kafka({ 'messaging.destination': 'old' }), 'old')
  assert.equal(kafka({ 'messaging.source.name': 'source' }), 'source')
  assert.equal(kafka({ 'messaging.destination.name': 'a,b' }), 'a,b')
  const http = (attributes: Record<string, unknown>) => meaningOf({ kind: 'CLIENT', attributes })
  assert.equal(
    http({ 'http.request.method': 'POST', 'url.full': 'http://u:p@host:1/a/b?c=d' }).destination,
    '/a/b',
  )
  assert.equal(
    http({ 'http.request.method': 'POST', 'url.full': 'http://u:p@host:1/a/b?c=d' }).callTarget,
    'host:1/a/b',
  )
  assert.equal(http({ 'http.method': 'GET', 'http.target': '/x?y' }).destination, '/x')
  assert.equal(
    http({ 'rpc.system': 'grpc', 'rpc.service': 'Shop', 'rpc.method': 'Buy' }).callTarget,
    'Shop/Buy',
  )
})

test('positions are read from all names, and out of message ids', () => {
  const position = (attributes: Record<string, unknown>) => {
    const { partition, offset } = meaningOf({
      kind: 'CONSUMER',
      attributes: { 'messaging.system': 'kafka', ...attributes },
    })
    return [partition, offset]
  }
  assert.deepEqual(position({ 'messaging.destination.partition.id': '2', 'messaging.kafka.offset': 17 }), [
    '2',
    '17',
  ])
  assert.deepEqual(
    position({ 'messaging.kafka.source.partition': 2, 'messaging.kafka.message.offset': '17' }),
    ['2', '17'],
  )
  assert.deepEqual(position({ 'messaging.kafka.partition': 0, 'messaging.message.id': 'my.topic.0.17' }), [
    '0',
    '17',
  ])
  assert.deepEqual(position({ 'messaging.kafka.destination.partition': 0, 'messaging.message.id': '17' }), [
    '0',
    '17',
  ])
  assert.deepEqual(position({ 'messaging.message.id': '17' }), [null, null])
})

test('what is true may be written as text', () => {
  assert.equal(meaningOf({ attributes: { 'mqtt.missing_context': 'true' } }).missingContext, true)
  assert.equal(meaningOf({ attributes: { 'throughline.missing_context': true } }).missingContext, true)
  assert.equal(meaningOf({ attributes: { 'mqtt.missing_context': 'false' } }).missingContext, false)
  assert.deepEqual(meaningOf({ attributes: { 'cloudevents.id': 'old-1' } }).event, {
    id: 'old-1',
    source: null,
    type: null,
    subject: null,
  })
})
