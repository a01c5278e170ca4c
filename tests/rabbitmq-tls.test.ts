import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { after, before, test } from 'node:test'
import { UnavailableError } from '@throughline/core'
import { type RabbitmqOptions, rabbitmq } from '@throughline/rabbitmq'
import { type SecureRabbitmq, startSecureRabbitmq } from './support/secure-rabbitmq.ts'

let secure: SecureRabbitmq
before(async () => {
  secure = await startSecureRabbitmq()
})
after(() => secure?.[Symbol.asyncDispose]())

/** Publishes an event and reads it back. */
async function roundTrip(options: Omit<RabbitmqOptions, 'url'>): Promise<void> {
  const queue = randomUUID()
  const broker = rabbitmq({ url: secure.url, connectTimeoutMs: 5000, ...options })
  try {
    const declare = { queues: [{ name: queue, autoDelete: true }] }
    const publisher = broker.publisher({ routingKey: queue, declare })
    await publisher.publish({ id: '1', type: 'test', source: '/test' })
    const { promise, resolve } = Promise.withResolvers<string>()
    await broker.subscribe({ queue }, ({ id }) => resolve(id))
    assert.equal(await promise, '1')
  } finally {
    await broker.close()
  }
}

test('TLS with a certificate of our own: who trusts it publishes and reads', () =>
  roundTrip({ tls: { ca: secure.ca } }))

test('TLS that trusts anybody works where it was asked for', () =>
  roundTrip({ tls: { rejectUnauthorized: false } }))

test('a broker whose certificate nobody vouches for is unavailable, and the error says why', () =>
  assert.rejects(
    roundTrip({}),
    (error) => error instanceof UnavailableError && /self-signed certificate/.test(error.message),
  ))

test('a certificate for another name is refused', () =>
  assert.rejects(
    roundTrip({ tls: { ca: secure.ca, servername: 'elsewhere.example' } }),
    (error) => error instanceof UnavailableError && /altnames/.test(error.message),
  ))
