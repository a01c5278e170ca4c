import assert from 'node:assert/strict'
import { test } from 'node:test'
import { PermanentError } from '@throughline/core'
import { parseOptions } from '../src/options.ts'
import { rabbitmqTransport } from '../src/transport.ts'

const isInvalid = (error: unknown) => error instanceof PermanentError && error.code === 'TL_OPTIONS_INVALID'

test('user, password and virtual host are taken out of the URL, and no secret stands in the address', () => {
  const endpoint = parseOptions({ url: 'amqps://us%40er:p%2Fw@broker.example/team%2Fa' })
  assert.equal(endpoint.address, 'amqps://broker.example:5671/team%2Fa')
  assert.deepEqual([endpoint.username, endpoint.password, endpoint.vhost], ['us@er', 'p/w', 'team/a'])
  assert.deepEqual(endpoint.tls, {})
})

test('a URL without user or path is guest at the virtual host /', () => {
  for (const url of ['amqp://localhost', 'amqp://localhost/']) {
    const { username, password, vhost, port, tls } = parseOptions({ url })
    assert.deepEqual([username, password, vhost, port, tls], ['guest', 'guest', '/', 5672, undefined])
  }
})

test('an IPv6 host is connected to without its brackets', () => {
  const { host, port, address } = parseOptions({ url: 'amqp://[::1]:2672' })
  assert.deepEqual([host, port, address], ['::1', 2672, 'amqp://[::1]:2672'])
})

for (const url of ['', 'localhost:5672', 'http://h', 'amqp://']) {
  test(`${JSON.stringify(url)} is refused as a URL`, () => {
    assert.throws(() => parseOptions({ url }), isInvalid)
  })
}

test('a bad URL is refused without its password in the error', () => {
  for (const url of ['http://u:secret@h', 'amqp://u:secret@h:99999', 'amqp://u:secret@']) {
    assert.throws(
      () => parseOptions({ url }),
      (error) => isInvalid(error) && error instanceof Error && !error.message.includes('secret'),
    )
  }
})

test('options that cannot work are refused by name', () => {
  const url = 'amqp://localhost'
  assert.throws(() => parseOptions({ url, heartbeatSeconds: -1 }), /heartbeatSeconds: must be an integer/)
  assert.throws(() => parseOptions({ url, connectTimeoutMs: 0 }), /connectTimeoutMs/)
  assert.throws(
    () => parseOptions({ url, frameMaxBytes: 4096 }),
    /frameMaxBytes: must be an integer from 8192/,
  )
  const transport = rabbitmqTransport({ url })
  assert.throws(() => transport.subscriber({ queue: '' }), /queue: must not be empty/)
  assert.throws(() => transport.subscriber({ queue: 'q'.repeat(256) }), /queue: has more than the 255 bytes/)
  assert.throws(() => transport.subscriber({ queue: 'q', window: 65_536 }), /window/)
  assert.throws(() => transport.publisher({ routingKey: 'é'.repeat(128) }), /routingKey/)
  assert.throws(() => transport.publisher({ timeoutMs: Number.NaN }), /timeoutMs/)
  assert.throws(() => transport.publisher({ declare: { queues: [{ name: '' }] } }), /declare.queues/)
  const neither = { bindings: [{ exchange: 'x' }] }
  assert.throws(() => transport.publisher({ declare: neither }), /either a queue or a toExchange/)
})
