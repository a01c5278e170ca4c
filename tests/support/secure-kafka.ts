import { pbkdf2Sync, randomBytes } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { alterUserScramCredentialsV0, Connection, ScramMechanisms } from '@platformatic/kafka'
import { eventually } from '@throughline/testkit'
import { kafkaWith } from '../../scripts/brokers/kafka.ts'
import { freePorts } from '../../scripts/brokers/ports.ts'
import { end, launch } from '../../scripts/brokers/process.ts'
import { keyPair, keytool } from './certificate.ts'

export const PASSWORD = 'correct-horse'

/** A Kafka of its own that lets nobody in without a login or a certificate. */
export interface SecureKafka extends AsyncDisposable {
  /** Without any: for topics of tests. */
  readonly plain: string
  /** SASL without TLS: PLAIN, SCRAM and OAUTHBEARER for the user alice; connections last 4 s until they log in again. */
  readonly login: string
  /** TLS that asks for a certificate that our authority has signed. */
  readonly certified: string
  /** TLS and SCRAM. */
  readonly both: string
  /** The broker's certificate, which signed itself, as PEM. */
  readonly ca: string
  /** The client's certificate and key, and what opens them. */
  readonly client: { readonly pfx: Buffer; readonly passphrase: string }
}

const jaas = (module: string, rest = '') =>
  `org.apache.kafka.common.security.${module} required${rest === '' ? '' : ` ${rest}`};`

/** Starts it and returns when it answers; ends it and removes its folder when it is disposed. */
export async function startSecureKafka(): Promise<SecureKafka> {
  const dir = mkdtempSync(join(tmpdir(), 'throughline-kafka-'))
  const { ca, client, ssl } = await certificates(dir)
  const mechanisms = 'PLAIN,SCRAM-SHA-256,SCRAM-SHA-512,OAUTHBEARER'
  const broker = kafkaWith({
    listeners: { LOGIN: 'SASL_PLAINTEXT', CERTIFIED: 'SSL', BOTH: 'SASL_SSL' },
    settings: {
      ...ssl,
      'sasl.enabled.mechanisms': mechanisms,
      'listener.name.certified.ssl.client.auth': 'required',
      'listener.name.login.connections.max.reauth.ms': 4000,
      'listener.name.login.plain.sasl.jaas.config': jaas(
        'plain.PlainLoginModule',
        `user_alice="${PASSWORD}"`,
      ),
      'listener.name.login.scram-sha-256.sasl.jaas.config': jaas('scram.ScramLoginModule'),
      'listener.name.login.scram-sha-512.sasl.jaas.config': jaas('scram.ScramLoginModule'),
      'listener.name.login.oauthbearer.sasl.jaas.config': jaas('oauthbearer.OAuthBearerLoginModule'),
      'listener.name.both.sasl.enabled.mechanisms': 'SCRAM-SHA-512',
      'listener.name.both.scram-sha-512.sasl.jaas.config': jaas('scram.ScramLoginModule'),
    },
  })
  const ports = await freePorts(broker.portCount)
  const [plainPort = 0, , ...others] = ports
  const process = launch(broker.prepare(dir, ports))
  async function stop(): Promise<void> {
    await end(process)
    rmSync(dir, { recursive: true, force: true })
  }
  try {
    await eventually(
      async () => {
        if (!(await broker.isReady(plainPort))) {
          throw new Error(readFileSync(join(dir, 'kafka.log'), 'utf8').slice(-2000))
        }
      },
      { timeoutMs: 90_000 },
    )
    await addUser(plainPort)
  } catch (error) {
    await stop()
    throw error
  }
  const [login = '', certified = '', both = ''] = others.map((port) => broker.address(port))
  return { plain: broker.address(plainPort), login, certified, both, ca, client, [Symbol.asyncDispose]: stop }
}

/** A key and certificate for the broker and one for the client, each trusted by the other. */
async function certificates(dir: string) {
  const [broker, client] = await Promise.all([keyPair(dir, 'broker'), keyPair(dir, 'client')])
  const [file, trusted] = [join(dir, 'client.pem'), join(dir, 'trusted.p12')]
  writeFileSync(file, client.certificate)
  await keytool('-importcert', '-noprompt', '-alias', 'client', '-file', file, '-keystore', trusted)
  return {
    ca: broker.certificate,
    client: { pfx: client.pfx, passphrase: client.passphrase },
    ssl: {
      'ssl.keystore.location': broker.file,
      'ssl.keystore.password': broker.passphrase,
      'ssl.keystore.type': 'PKCS12',
      'ssl.truststore.location': trusted,
      'ssl.truststore.password': broker.passphrase,
      'ssl.truststore.type': 'PKCS12',
    },
  }
}

/** Alice, for both kinds of SCRAM (KIP-554). */
async function addUser(port: number): Promise<void> {
  const connection = new Connection('test')
  await connection.connect('127.0.0.1', port)
  const kinds = [
    { mechanism: ScramMechanisms.SCRAM_SHA_256, length: 32, hash: 'sha256' },
    { mechanism: ScramMechanisms.SCRAM_SHA_512, length: 64, hash: 'sha512' },
  ]
  const iterations = 4096
  try {
    // One a request: a user may stand in it only once.
    for (const { mechanism, length, hash } of kinds) {
      const salt = randomBytes(16)
      const saltedPassword = pbkdf2Sync(PASSWORD, salt, iterations, length, hash)
      const credentials = { name: 'alice', mechanism, iterations, salt, saltedPassword }
      await alterUserScramCredentialsV0.api.async(connection, [], [credentials])
    }
  } finally {
    await connection.close()
  }
}
