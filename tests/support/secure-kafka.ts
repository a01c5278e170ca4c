import { execFile } from 'node:child_process'
import { pbkdf2Sync, randomBytes } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { promisify } from 'node:util'
import { alterUserScramCredentialsV0, Connection, ScramMechanisms } from '@platformatic/kafka'
import { eventually } from '@throughline/testkit'
import { findJava } from '../../scripts/bootstrap/java.mjs'
import { kafkaWith } from '../../scripts/brokers/kafka.ts'
import { freePorts } from '../../scripts/brokers/ports.ts'
import { end, launch } from '../../scripts/brokers/process.ts'

const run = promisify(execFile)

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

/** A key and certificate for the broker and one for the client, each trusted by the other, by the JDK's keytool. */
async function certificates(dir: string) {
  const keytool = join(dirname(findJava() ?? 'java'), 'keytool')
  const passphrase = 'changeit'
  const store = (name: string) => join(dir, `${name}.p12`)
  const call = (...args: readonly string[]) =>
    run(keytool, [...args, '-storetype', 'PKCS12', '-storepass', passphrase])
  for (const name of ['broker', 'client']) {
    const key = ['-keyalg', 'EC', '-groupname', 'secp256r1', '-validity', '2', '-dname', `CN=${name}`]
    const names = ['-ext', 'san=ip:127.0.0.1,dns:localhost']
    await call('-genkeypair', '-alias', name, '-keystore', store(name), ...key, ...names)
  }
  const exported = (name: string) => call('-exportcert', '-rfc', '-alias', name, '-keystore', store(name))
  const { stdout: ca } = await exported('broker')
  const file = join(dir, 'client.pem')
  await call('-exportcert', '-rfc', '-alias', 'client', '-keystore', store('client'), '-file', file)
  await call('-importcert', '-noprompt', '-alias', 'client', '-file', file, '-keystore', store('trusted'))
  return {
    ca,
    client: { pfx: readFileSync(store('client')), passphrase },
    ssl: {
      'ssl.keystore.location': store('broker'),
      'ssl.keystore.password': passphrase,
      'ssl.keystore.type': 'PKCS12',
      'ssl.truststore.location': store('trusted'),
      'ssl.truststore.password': passphrase,
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
