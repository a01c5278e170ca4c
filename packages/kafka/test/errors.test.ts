import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  AuthenticationError,
  MultipleErrors,
  NetworkError,
  ProtocolError,
  UserError,
} from '@platformatic/kafka'
import { PermanentError, UnavailableError } from '@throughline/core'
import { isUnknownTopic, kafkaError } from '../src/errors.ts'

const at = { address: 'a', login: undefined }

test('a refused connection is one sentence with the address and the innermost cause', () => {
  const refused = new Error('connect ECONNREFUSED 127.0.0.1:1')
  const network = new NetworkError('Connection to 127.0.0.1:1 failed.', { cause: refused })
  const error = kafkaError(
    new MultipleErrors('Cannot connect.', [network]),
    { address: '127.0.0.1:1', login: undefined },
    'no broker can be reached',
  )
  assert.ok(error instanceof UnavailableError)
  assert.equal(
    error.message,
    'Kafka at 127.0.0.1:1: no broker can be reached: connect ECONNREFUSED 127.0.0.1:1',
  )
})

test('what the broker refuses for good is permanent, what may pass is not', () => {
  const of = (id: string) => kafkaError(new MultipleErrors('m', [new ProtocolError(id)]), at, 'f')
  for (const id of ['INVALID_TOPIC_EXCEPTION', 'TOPIC_AUTHORIZATION_FAILED', 'INVALID_TIMESTAMP']) {
    assert.ok(of(id) instanceof PermanentError, id)
  }
  for (const id of [
    'NOT_ENOUGH_REPLICAS',
    'LEADER_NOT_AVAILABLE',
    'REQUEST_TIMED_OUT',
    'COORDINATOR_NOT_AVAILABLE',
  ]) {
    assert.ok(of(id) instanceof UnavailableError, id)
  }
  assert.equal(of('MESSAGE_TOO_LARGE').code, 'TL_TOO_LARGE')
})

test('failed authentication is permanent though it is wrapped in a network error', () => {
  const wrapped = new NetworkError('Connection failed.', {
    cause: new AuthenticationError('SASL authentication failed.'),
  })
  assert.ok(kafkaError(wrapped, at, 'f') instanceof PermanentError)
})

test('unknown topics are known by code and by the driver’s words', () => {
  assert.ok(isUnknownTopic(new MultipleErrors('m', [new ProtocolError('UNKNOWN_TOPIC_OR_PARTITION')])))
  assert.ok(isUnknownTopic(new UserError('Unknown topic orders.')))
  assert.ok(!isUnknownTopic(new UserError('Broker requires TLS.')))
})

test('whatever was thrown is an error with a sentence', () => {
  for (const thrown of ['text', null, undefined, 7, {}, new AggregateError([])]) {
    assert.ok(kafkaError(thrown, at, 'failed') instanceof UnavailableError)
  }
})
