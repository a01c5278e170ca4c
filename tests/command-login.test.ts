import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { createTopics } from '@throughline/kafka'
import { serve, temporaryFolder, throughline } from '../packages/cli/test/command.ts'
import { PASSWORD, type SecureKafka, startSecureKafka } from './support/secure-kafka.ts'
import { type SecureMosquitto, startSecureMosquitto } from './support/secure-mosquitto.ts'
import { type SecureRabbitmq, startSecureRabbitmq } from './support/secure-rabbitmq.ts'

const alice = { THROUGHLINE_USERNAME: 'alice', THROUGHLINE_PASSWORD: PASSWORD }

const folder = temporaryFolder()
after(() => folder[Symbol.dispose]())

/** The environment that trusts an authority of one's own. */
function trusting(ca: string): NodeJS.ProcessEnv {
  const file = join(folder.path, `${randomUUID()}.pem`)
  writeFileSync(file, ca)
  return { NODE_EXTRA_CA_CERTS: file }
}

/** A tail of the URL shows what a send to it has sent, and no line of either says the password. */
async function sentIsTailed(url: string, env: NodeJS.ProcessEnv): Promise<void> {
  const id = randomUUID()
  await using tail = serve(['tail', url], env)
  const [begun] = await tail.printed(/.*Ctrl-C ends it\n/)
  const { code, stdout, stderr } = await throughline(['send', url, '--type', 't', '--id', id], env)
  assert.equal(code, 0, stderr)
  assert.match(stdout, new RegExp(`id ${id}`))
  const [shown] = await tail.printed(new RegExp(`[^]*id ${id}\\n`))
  assert.doesNotMatch(`${begun}${shown}${stdout}${stderr}`, new RegExp(PASSWORD))
}

/** A send that is not let in says why, without a secret and without a stack, and ends with exit code 1. */
async function isRefused(url: string, env: NodeJS.ProcessEnv, words: RegExp): Promise<void> {
  const { code, stdout, stderr } = await throughline(['send', url, '--type', 't', '--timeout', '5s'], env)
  assert.equal(code, 1, stderr)
  assert.match(stderr, words)
  assert.doesNotMatch(`${stdout}${stderr}`, /battery|\n +at /)
}

describe('Kafka', () => {
  let broker: SecureKafka
  const topic = `command-${randomUUID()}`
  before(async () => {
    broker = await startSecureKafka()
    await createTopics({ brokers: broker.plain }, [{ name: topic }])
  })
  after(() => broker?.[Symbol.asyncDispose]())

  test('by TLS and SCRAM, the login from the environment', () =>
    sentIsTailed(`kafkas://${broker.both}/${topic}?sasl=SCRAM-SHA-512`, {
      ...trusting(broker.ca),
      ...alice,
    }))

  test('by PLAIN, which a user in the URL is enough for', () =>
    sentIsTailed(`kafka://alice:${PASSWORD}@${broker.login}/${topic}`, {}))

  test('a wrong password is refused', () =>
    isRefused(`kafka://alice:wrong-battery@${broker.login}/${topic}`, {}, /login PLAIN as alice failed/))

  test('a certificate that nobody vouches for is refused', () =>
    isRefused(`kafkas://${broker.both}/${topic}?sasl=SCRAM-SHA-512`, alice, /self-signed certificate/))
})

describe('MQTT', () => {
  let broker: SecureMosquitto
  before(async () => {
    broker = await startSecureMosquitto()
  })
  after(() => broker?.[Symbol.asyncDispose]())

  test('by a login, from the environment', () => sentIsTailed(`${broker.login}/readings`, alice))

  test('by TLS, and by WebSocket over TLS', async () => {
    const trust = trusting(broker.certificates.ca)
    await sentIsTailed(`${broker.tls}/readings`, trust)
    await sentIsTailed(`${broker.wss}?topic=readings`, trust)
  })

  test('a wrong password is refused', () =>
    isRefused(`${broker.login.replace('//', '//alice:wrong-battery@')}/readings`, {}, /Not authorized/))
})

describe('RabbitMQ', () => {
  let broker: SecureRabbitmq
  const place = '?exchange=amq.topic&routingKey=readings'
  before(async () => {
    broker = await startSecureRabbitmq()
  })
  after(() => broker?.[Symbol.asyncDispose]())

  test('by TLS', () => sentIsTailed(`${broker.url}${place}`, trusting(broker.ca)))

  test('a wrong password is refused', () => {
    const url = Object.assign(new URL(broker.url), { username: 'alice', password: 'wrong-battery' })
    return isRefused(`${url.href}${place}`, trusting(broker.ca), /ACCESS_REFUSED/)
  })
})
