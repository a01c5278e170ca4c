import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { PermanentError } from '@throughline/core'
import { kafkaTransport } from '@throughline/kafka'
import { connectionOf, isTopicName, serverOf } from '../src/options.ts'

describe('brokers', () => {
  test('are an array or a comma list, with or without ports', () => {
    assert.deepEqual(connectionOf({ brokers: ' a:1 , b ,' }).brokers, ['a:1', 'b'])
    assert.deepEqual(connectionOf({ brokers: ['[::1]:9093'] }).brokers, ['[::1]:9093'])
    assert.deepEqual(serverOf(connectionOf({ brokers: ['[::1]:9093'] })), { host: '::1', port: 9093 })
    assert.deepEqual(serverOf(connectionOf({ brokers: 'kafka-0.svc' })), { host: 'kafka-0.svc', port: 9092 })
  })

  test('an unusable one is named by its place, and never shown: it may have a password', () => {
    for (const brokers of [
      'kafka://user:secret@host:9092',
      'host:0',
      'host:99999',
      'a:1,b:x',
      'user:secret@host',
    ]) {
      assert.throws(
        () => kafkaTransport({ brokers }),
        (error) =>
          error instanceof PermanentError &&
          /brokers\[\d\]/.test(error.message) &&
          !/secret/.test(error.message),
        brokers,
      )
    }
    assert.throws(() => kafkaTransport({ brokers: '' }), /brokers is empty/)
  })
})

test('topic names follow Kafka’s rule', () => {
  for (const name of ['a', 'sensor-readings.v1_x', 'x'.repeat(249)]) assert.ok(isTopicName(name), name)
  for (const name of ['', '.', '..', 'a b', 'a/b', 'ä', 'x'.repeat(250)]) assert.ok(!isTopicName(name), name)
})

test('wrong options are refused where they are given', () => {
  const transport = kafkaTransport({ brokers: 'localhost:9092' })
  assert.throws(() => transport.publisher({ topic: 'a b' }), /"a b" is no topic name/)
  assert.throws(() => transport.publisher({ topic: 'a', maxBatchMessages: 0 }), /maxBatchMessages/)
  assert.throws(() => transport.publisher({ topic: 'a', timeoutMs: Number.NaN }), /timeoutMs/)
  assert.throws(() => transport.subscriber({ topics: [], group: 'g' }), /topics is empty/)
  assert.throws(() => transport.subscriber({ topics: ['a/b'], group: 'g' }), /"a\/b" is no topic name/)
  assert.throws(() => transport.subscriber({ topics: ['a'], group: ' ' }), /group/)
  assert.throws(() => transport.subscriber({ topics: ['a'], start: new Date(Number.NaN) }), /start/)
  assert.throws(() => transport.subscriber({ topics: ['a'], group: 'g', window: 0 }), /window/)
  assert.throws(
    () => transport.subscriber({ topics: ['a'], group: 'g', sessionTimeoutMs: 4000, revokeGraceMs: 3000 }),
    /revokeGraceMs/,
  )
  const member = { topics: ['a'], group: 'g' }
  assert.throws(
    () => transport.subscriber({ ...member, groupProtocol: 'consumer', sessionTimeoutMs: 6000 }),
    /sessionTimeoutMs.*group\.consumer\.session\.timeout\.ms/,
  )
  transport.subscriber({ ...member, groupProtocol: 'consumer', revokeGraceMs: 60_000 })
  assert.throws(() => transport.subscriber({ ...member, instanceId: 'a b' }), /instanceId/)
})

test('credentials that can be none are refused, and never shown', () => {
  const given = [
    { mechanism: 'PLAIN', username: 'alice', password: '' },
    { mechanism: 'SCRAM-SHA-256', username: '', password: 'battery' },
    { mechanism: 'OAUTHBEARER', token: '' },
  ] as const
  for (const sasl of given) {
    assert.throws(
      () => kafkaTransport({ brokers: 'localhost:9092', sasl }),
      (error) =>
        error instanceof PermanentError && /sasl\.\w+/.test(error.message) && !/battery/.test(error.message),
    )
  }
})
