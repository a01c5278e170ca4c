import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { createLog, parseConfig, startBridge } from '@throughline/bridge'
import { PermanentError, UnavailableError } from '@throughline/core'
import {
  AUTHENTICATION_CODE,
  createTopics,
  type KafkaOptions,
  kafka,
  type SaslCredentials,
} from '@throughline/kafka'
import { eventually } from '@throughline/testkit'
import { PASSWORD, type SecureKafka, startSecureKafka } from './support/secure-kafka.ts'

let broker: SecureKafka
before(async () => {
  broker = await startSecureKafka()
})
after(() => broker?.[Symbol.asyncDispose]())

const user = { username: 'alice', password: PASSWORD }

/** A token that says itself who it is for (RFC 7515 §A.5), as the broker's validator for development takes it. */
function tokenFor(sub: string, lifetimeS = 60): string {
  const part = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url')
  const nowS = Math.floor(Date.now() / 1000)
  return `${part({ alg: 'none' })}.${part({ sub, iat: nowS, exp: nowS + lifetimeS })}.`
}

async function newTopic(): Promise<string> {
  const name = `login-${randomUUID()}`
  await createTopics({ brokers: broker.plain }, [{ name }])
  return name
}

/** Publishes an event and reads it back. */
async function roundTrip(options: KafkaOptions): Promise<void> {
  const topic = await newTopic()
  const client = kafka(options)
  try {
    await client.publisher({ topic }).publish({ id: '1', type: 'test', source: '/test' })
    const { promise, resolve } = Promise.withResolvers<string>()
    await client.subscribe({ topics: [topic], group: topic }, ({ id }) => resolve(id))
    assert.equal(await promise, '1')
  } finally {
    await client.close()
  }
}

for (const mechanism of ['PLAIN', 'SCRAM-SHA-256', 'SCRAM-SHA-512'] as const) {
  test(`${mechanism}: who has the password publishes and reads`, () =>
    roundTrip({ brokers: broker.login, sasl: { mechanism, ...user } }))

  test(`${mechanism}: a wrong password is a permanent error that names mechanism and user, and tells no secret`, async () => {
    const sasl: SaslCredentials = { mechanism, username: 'alice', password: 'wrong-battery' }
    await refused({ brokers: broker.login, sasl }, new RegExp(`login ${mechanism} as alice failed: \\w`))
  })
}

/** Every way in fails with the same error, without being tried until its time is up. */
async function refused(options: KafkaOptions, words: RegExp): Promise<void> {
  const topic = await newTopic()
  const client = kafka(options)
  const isRefusal = (error: unknown) => {
    assert.ok(error instanceof PermanentError, String(error))
    assert.equal(error.code, AUTHENTICATION_CODE)
    assert.match(error.message, words)
    assert.ok(!/battery/.test(`${error.message} ${JSON.stringify(error)}`))
    return true
  }
  try {
    const publisher = client.publisher({ topic, timeoutMs: 3_600_000 })
    await assert.rejects(publisher.publish({ type: 'test', source: '/test' }), isRefusal)
    await assert.rejects(
      client.subscribe({ topics: [topic], group: topic }, () => undefined),
      isRefusal,
    )
    await assert.rejects(createTopics(options, [{ name: topic }]), isRefusal)
  } finally {
    await client.close()
  }
}

test('a mechanism that the broker has not enabled is a permanent error', () =>
  refused(
    { brokers: broker.both, sasl: { mechanism: 'PLAIN', ...user }, tls: { ca: broker.ca } },
    /login PLAIN as alice failed: /,
  ))

test('OAUTHBEARER: the token comes from a function, also for connections that last longer than a login', async () => {
  const topic = await newTopic()
  let asked = 0
  const token = async () => {
    asked++
    return tokenFor('alice')
  }
  const client = kafka({ brokers: broker.login, sasl: { mechanism: 'OAUTHBEARER', token } })
  const problems: string[] = []
  const got: string[] = []
  try {
    await client.subscribe(
      { topics: [topic], group: topic, onProblem: ({ kind }) => problems.push(kind) },
      ({ id }) => void got.push(id),
    )
    const publisher = client.publisher({ topic })
    await publisher.publish({ id: '0', type: 'test', source: '/test' })
    const first = asked
    let sent = 1
    await eventually(
      async () => {
        await publisher.publish({ id: String(sent), type: 'test', source: '/test' })
        sent++
        assert.ok(asked >= 2 * first, `${asked} tokens, ${first} of them at first`)
      },
      { timeoutMs: 20_000 },
    )
    await eventually(() => assert.equal(new Set(got).size, sent))
    assert.deepEqual(problems, ['connected'])
  } finally {
    await client.close()
  }
})

test('OAUTHBEARER: a token that the broker refuses is a permanent error that does not tell it', async () => {
  const token = tokenFor('alice', -60)
  await refused(
    { brokers: broker.login, sasl: { mechanism: 'OAUTHBEARER', token } },
    /login OAUTHBEARER failed: the token was refused: invalid_token/,
  )
})

test('OAUTHBEARER: a provider that fails counts as a broker that is away', async () => {
  const topic = await newTopic()
  let fails = true
  const token = () => {
    if (fails) throw new Error('the identity provider is away')
    return tokenFor('alice')
  }
  const client = kafka({ brokers: broker.login, sasl: { mechanism: 'OAUTHBEARER', token } })
  try {
    const short = client.publisher({ topic, timeoutMs: 500 })
    await assert.rejects(
      short.publish({ type: 'test', source: '/test' }),
      (error) => error instanceof UnavailableError && /the identity provider is away/.test(error.message),
    )
    fails = false
    await client.publisher({ topic }).publish({ type: 'test', source: '/test' })
  } finally {
    await client.close()
  }
})

test('the bridge logs in by a token from a file, and by a password over TLS with an authority of its own', async () => {
  const [from, to] = [await newTopic(), await newTopic()]
  const dir = mkdtempSync(join(tmpdir(), 'throughline-login-'))
  const [token, ca] = [join(dir, 'token'), join(dir, 'ca.pem')]
  writeFileSync(token, `${tokenFor('alice')}\n`)
  writeFileSync(ca, broker.ca)
  const text = `
connections:
  in:  { type: kafka, brokers: "${broker.login}", sasl: { mechanism: OAUTHBEARER, tokenFile: ${token} } }
  out:
    type: kafka
    brokers: "${broker.both}"
    sasl: { mechanism: SCRAM-SHA-512, username: alice, password: ${PASSWORD} }
    certificates: { ca: ${ca} }
routes:
  all: { from: { connection: in, topics: ${from}, group: ${from} }, to: { connection: out, topic: ${to} } }
`
  const log = createLog({ isTTY: false, write: () => true })
  const bridge = await startBridge(parseConfig(text, 'bridge.yaml', {}), { log })
  const client = kafka({ brokers: broker.plain })
  try {
    const { promise, resolve } = Promise.withResolvers<string>()
    await client.subscribe({ topics: [to], group: to }, ({ id }) => resolve(id))
    await client.publisher({ topic: from }).publish({ id: 'through', type: 'test', source: '/test' })
    assert.equal(await promise, 'through')
  } finally {
    await bridge.close()
    await client.close()
    rmSync(dir, { recursive: true })
  }
})

test('TLS with a certificate of our own, and TLS with a login', async () => {
  const { ca, client } = broker
  await roundTrip({ brokers: broker.certified, tls: { ca, ...client } })
  // By its name, which the handshake says then.
  await roundTrip({
    brokers: broker.both.replace('127.0.0.1', 'localhost'),
    tls: { ca },
    sasl: { mechanism: 'SCRAM-SHA-512', ...user },
  })
})

for (const [what, options, words] of [
  [
    'a broker whose certificate nobody vouches for',
    () => ({ brokers: broker.both, tls: {}, sasl: { mechanism: 'SCRAM-SHA-512', ...user } }),
    /self-signed certificate/,
  ],
  [
    'a client without a certificate',
    () => ({ brokers: broker.certified, tls: { ca: broker.ca } }),
    /certificate|closed/i,
  ],
  ['a client without TLS', () => ({ brokers: broker.certified }), /TLS|closed/],
  [
    'TLS to a listener without it',
    () => ({ brokers: broker.plain, tls: { ca: broker.ca } }),
    /TLS|timed out/,
  ],
] as const satisfies readonly (readonly [string, () => KafkaOptions, RegExp])[]) {
  test(`${what}: nothing is sent, and the error says why`, async () => {
    const client = kafka({ connectTimeoutMs: 1000, ...options() })
    try {
      const publisher = client.publisher({ topic: 'any', timeoutMs: 1500 })
      await assert.rejects(publisher.publish({ type: 'test', source: '/test' }), (error) => {
        assert.ok(error instanceof UnavailableError || error instanceof PermanentError)
        assert.match(error.message, words)
        return true
      })
    } finally {
      await client.close()
    }
  })
}
