import assert from 'node:assert/strict'
import { test } from 'node:test'
import { PermanentError } from '@throughline/core'
import type { AsyncMessage } from 'rabbitmq-client'
import { contentTypeOf, keepBodies } from '../src/driver.ts'

const received = { consumerTag: 'c', deliveryTag: 1, redelivered: false, exchange: '', routingKey: 'q' }
const isBypassed = (error: unknown) => error instanceof PermanentError && error.code === 'TL_RABBITMQ_BODY'

test('a message whose body was parsed by the driver is noticed', () => {
  const parsed: AsyncMessage[] = [
    { ...received, contentType: 'application/json', body: { a: 1 } },
    { ...received, contentType: 'text/plain', body: 'text' },
    // Here the bytes are whole, but those of the next message may not be.
    { ...received, contentType: 'image/png', body: Buffer.alloc(1) },
  ]
  for (const message of parsed) assert.throws(() => contentTypeOf(message), isBypassed)
  assert.equal(contentTypeOf({ ...received, body: Buffer.alloc(0) }), undefined)
})

test('a driver without the method that is wrapped is refused', () => {
  assert.throws(() => keepBodies(Object.create(null)), isBypassed)
})
