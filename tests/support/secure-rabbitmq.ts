import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createServer } from 'node:tls'
import { keyPair } from './certificate.ts'
import { brokers } from './pipeline.ts'

/** The RabbitMQ under test behind what ends TLS in front of it. */
export interface SecureRabbitmq extends AsyncDisposable {
  /** With the user and the virtual host of the one under test. */
  readonly url: string
  /** The certificate, which signed itself, as PEM. */
  readonly ca: string
}

export async function startSecureRabbitmq(): Promise<SecureRabbitmq> {
  const folder = mkdtempSync(join(tmpdir(), 'throughline-rabbitmq-tls-'))
  const { pfx, passphrase, certificate } = await keyPair(folder, 'broker').finally(() =>
    rmSync(folder, { recursive: true, force: true }),
  )
  const plain = new URL(brokers().amqpUrl)
  const server = createServer({ pfx, passphrase }, (client) => {
    const broker = connect(Number(plain.port || 5672), plain.hostname)
    client.on('error', () => broker.destroy()).pipe(broker)
    broker.on('error', () => client.destroy()).pipe(client)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  const url = new URL(brokers().amqpUrl.replace(/^amqp:/, 'amqps:'))
  url.host = `127.0.0.1:${typeof address === 'object' ? address?.port : 0}`
  return {
    url: url.href,
    ca: certificate,
    async [Symbol.asyncDispose]() {
      server.close()
    },
  }
}
