import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parseRoute, routeName, sourceName } from '../src/destination.ts'
import { patternOf } from '../src/topology.ts'

test('what is sent is named by exchange and routing key, or by the one that is not empty', () => {
  assert.equal(routeName({ exchange: 'logs', routingKey: 'warning' }), 'logs:warning')
  assert.equal(routeName({ exchange: 'logs', routingKey: '' }), 'logs')
  assert.equal(routeName({ exchange: '', routingKey: 'orders' }), 'orders')
  assert.equal(routeName({ exchange: '', routingKey: '' }), 'amq.default')
})

test('what is received is named by exchange, routing key and queue; the queue once where it is the routing key', () => {
  assert.equal(sourceName({ exchange: 'logs', routingKey: 'warning' }, 'q'), 'logs:warning:q')
  assert.equal(sourceName({ exchange: 'logs', routingKey: '' }, 'q'), 'logs:q')
  assert.equal(sourceName({ exchange: 'logs', routingKey: 'q' }, 'q'), 'logs:q')
  assert.equal(sourceName({ exchange: '', routingKey: 'q' }, 'q'), 'q')
})

test("a message's destination is exchange:routing key, or a routing key for the publisher's exchange", () => {
  assert.deepEqual(parseRoute('logs:a.b', 'mine'), { exchange: 'logs', routingKey: 'a.b' })
  assert.deepEqual(parseRoute('a.b', 'mine'), { exchange: 'mine', routingKey: 'a.b' })
  assert.deepEqual(parseRoute(':queue', 'mine'), { exchange: '', routingKey: 'queue' })
  assert.deepEqual(parseRoute('logs:a:b', 'mine'), { exchange: 'logs', routingKey: 'a:b' })
})

test("a topic exchange's pattern is found by the routing key", () => {
  const binding = (routingKey: string) => ({ bindings: [{ exchange: 'x', queue: 'q', routingKey }] })
  const found = (pattern: string, key: string) => patternOf(binding(pattern), 'x', key) === pattern
  for (const key of ['a', 'a.b', 'a.b.c', '']) assert.ok(found('#', key), key)
  assert.ok(found('sensors.*.reading', 'sensors.7.reading'))
  assert.ok(!found('sensors.*.reading', 'sensors.7.8.reading'))
  assert.ok(found('sensors.#.reading', 'sensors.reading'))
  assert.ok(found('sensors.#.reading', 'sensors.7.8.reading'))
  assert.ok(!found('sensors.#.reading', 'sensors.7'))
  assert.ok(!found('*', 'a.b'))
  assert.equal(patternOf(binding('exact'), 'x', 'exact'), undefined)
  assert.equal(patternOf(binding('#'), 'another', 'a'), undefined)
})
