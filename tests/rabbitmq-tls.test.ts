import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { createServer, type Server } from 'node:tls'
import { UnavailableError } from '@throughline/core'
import { type RabbitmqOptions, rabbitmq } from '@throughline/rabbitmq'
import { type KeyPair, keyPair } from './support/certificate.ts'
import { brokers } from './support/pipeline.ts'

const folder = mkdtempSync(join(tmpdir(), 'throughline-rabbitmq-tls-'))
let own: KeyPair
let server: Server
let url = ''

before(async () => {
  own = await keyPair(folder, 'broker')
  const { hostname, port } = new URL(brokers().amqpUrl)
  // What stands in front of a broker to end TLS.
  server = createServer({ pfx: own.pfx, passphrase: own.passphrase }, (client) => {
    const broker = connect(Number(port || 5672), hostname)
    client.on('error', () => broker.destroy()).pipe(broker)
    broker.on('error', () => client.destroy()).pipe(client)
  })
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening))
  const address = server.address()
  url = `amqps://127.0.0.1:${typeof address === 'object' ? address?.port : 0}`
})
after(() => {
  server?.close()
  rmSync(folder, { recursive: true, force: true })
})

/** Publishes an event and reads it back. */
async function roundTrip(options: Omit<RabbitmqOptions, 'url'>): Promise<void> {
  const queue = randomUUID()
  const broker = rabbitmq({ url, connectTimeoutMs: 5000, ...options })
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
  roundTrip({ tls: { ca: own.certificate } }))

test('TLS that trusts anybody works where it was asked for', () =>
  roundTrip({ tls: { rejectUnauthorized: false } }))

test('a broker whose certificate nobody vouches for is unavailable, and the error says why', () =>
  assert.rejects(
    roundTrip({}),
    (error) => error instanceof UnavailableError && /self-signed certificate/.test(error.message),
  ))

test('a certificate for another name is refused', () =>
  assert.rejects(
    roundTrip({ tls: { ca: own.certificate, servername: 'elsewhere.example' } }),
    (error) => error instanceof UnavailableError && /altnames/.test(error.message),
  ))
