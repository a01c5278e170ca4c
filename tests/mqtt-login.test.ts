import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { after, before, describe, test } from 'node:test'
import { PermanentError, UnavailableError } from '@throughline/core'
import { type MqttOptions, mqtt } from '@throughline/mqtt'
import { PASSWORD, type SecureMosquitto, startSecureMosquitto } from './support/secure-mosquitto.ts'

let broker: SecureMosquitto
before(async () => {
  broker = await startSecureMosquitto()
})
after(() => broker?.[Symbol.asyncDispose]())

const VERSIONS = [4, 5] as const
const alice = { username: 'alice', password: PASSWORD }

function client(options: MqttOptions) {
  return mqtt({ clientId: randomUUID(), envelope: true, ...options })
}

/** Publishes an event of several WebSocket frames and reads it back. More would take Mosquitto 2.0 seconds: 4 KB each tenth of one. */
async function roundTrip(options: MqttOptions): Promise<void> {
  await using broker = client(options)
  const topic = randomUUID()
  const { promise, resolve } = Promise.withResolvers<unknown>()
  await broker.subscribe({ topics: [topic] }, ({ data }) => resolve(data))
  const data = 'é'.repeat(5_000)
  await broker.publisher({ topic }).publish({ type: 'test', source: '/test', data })
  assert.equal(await promise, data)
}

/** Every way in fails with the same error. */
async function refused(
  options: MqttOptions,
  kind: typeof PermanentError | typeof UnavailableError,
  text: RegExp,
): Promise<void> {
  await using broker = client(options)
  const isRefusal = (error: unknown) => {
    assert.ok(error instanceof kind, String(error))
    assert.match(error.message, text)
    assert.doesNotMatch(error.message, /\n/)
    assert.doesNotMatch(`${error.message} ${error.cause}`, /battery|PRIVATE KEY/)
    return true
  }
  await assert.rejects(broker.publisher({ topic: 'a' }).open(), isRefusal)
  const subscriber = broker.transport.subscriber({ topics: ['a'] })
  await assert.rejects(subscriber.open(), isRefusal)
  await subscriber.close()
}

for (const protocolVersion of VERSIONS) {
  describe(`by version ${protocolVersion} of the protocol`, () => {
    test('who has the password publishes and reads', () =>
      roundTrip({ url: broker.login, protocolVersion, ...alice }))

    test('user and password may stand in the URL', () =>
      roundTrip({ url: broker.login.replace('//', `//alice:${PASSWORD}@`), protocolVersion }))

    test('a wrong password is a permanent error that names the client, and tells no secret', () =>
      refused(
        { url: broker.login.replace('//', '//alice:wrong-battery@'), protocolVersion, clientId: 'edge' },
        PermanentError,
        /^mqtt:\/\/127\.0\.0\.1:\d+ refused the connection of "edge-(pub|sub)": Not authorized \(\d+\)$/,
      ))

    test('no login where one is asked for is a permanent error', () =>
      refused({ url: broker.login, protocolVersion }, PermanentError, /Not authorized/))

    test('TLS with an authority of one’s own', () =>
      roundTrip({ url: broker.tls, protocolVersion, tls: { ca: broker.certificates.ca } }))

    test('TLS with a client certificate', () => {
      const { ca, client } = broker.certificates
      return roundTrip({ url: broker.certified, protocolVersion, tls: { ca, ...client } })
    })

    test('WebSocket', () => roundTrip({ url: broker.ws, protocolVersion }))

    test('WebSocket over TLS', () =>
      roundTrip({ url: broker.wss, protocolVersion, tls: { ca: broker.certificates.ca } }))
  })
}

describe('a certificate', () => {
  test('of an unknown authority is refused, and taken where rejectUnauthorized is false', async () => {
    for (const url of [broker.tls, broker.wss]) {
      await refused(
        { url },
        UnavailableError,
        /^cannot connect to (mqtts|wss):.*unable to verify the first certificate/,
      )
      await roundTrip({ url, tls: { rejectUnauthorized: false } })
    }
  })

  test('of another host is refused, and taken by the name that it has', async () => {
    const { ca } = broker.certificates
    for (const url of [broker.tls, broker.wss]) {
      const tls = { ca, servername: 'elsewhere.example' }
      await refused({ url, tls }, UnavailableError, /elsewhere\.example\. is not in the cert's altnames/)
      await roundTrip({ url, tls: { ca, servername: 'localhost' } })
    }
  })

  test('that the broker asks for and does not get is named in the error', () =>
    refused(
      { url: broker.certified, tls: { ca: broker.certificates.ca } },
      UnavailableError,
      /the TLS handshake failed: .*alert certificate required$/,
    ))

  test('that the broker does not trust is named in the error', () => {
    const { ca, stranger } = broker.certificates
    return refused(
      { url: broker.certified, tls: { ca, ...stranger } },
      UnavailableError,
      /the TLS handshake failed: .*alert unknown ca$/,
    )
  })

  test('that is none is a permanent error', async () => {
    const { ca, client } = broker.certificates
    const tls = { ca, cert: client.cert, key: 'no key' }
    await refused({ url: broker.certified, tls }, PermanentError, /^cannot connect to mqtts:/)
  })
})

test('a topic that the user may not publish to is refused by MQTT 5, and dropped without a word by 3.1.1', async () => {
  for (const protocolVersion of VERSIONS) {
    await using own = client({ url: broker.login, protocolVersion, ...alice })
    const publishing = own.publisher({ topic: 'forbidden' }).publish({ body: 'x' })
    if (protocolVersion === 4) await publishing
    else await assert.rejects(publishing, /"forbidden" failed: Not authorized \(135\)/)
  }
})

test('a peer that speaks something else on the port is unavailable, and named', async () => {
  const asPlain = { url: broker.tls.replace('mqtts', 'mqtt') }
  const asWebSocket = { url: broker.login.replace('mqtt', 'ws') }
  for (const options of [asPlain, asWebSocket]) await refused(options, UnavailableError, /^cannot connect to/)
})
