import { z } from 'zod'
import { address, faultOfUrl, flag, listOf, pattern, text, word } from './field.ts'

const MQTT_VERSIONS = { 4: 4, 5: 5 } as const
const clientId = pattern('a client id of letters, digits, dots, - and _', /^[A-Za-z0-9._-]{1,64}$/)

const pemFile = text('the path of a PEM file')

/** `connections.<name>`, by its type. */
export const connectionSchemas = {
  http: z.strictObject({
    type: z.literal('http').describe('HTTP: a server for sources, a client for targets'),
    listen: address().exactOptional().describe('Where routes from this connection are served'),
  }),
  kafka: z.strictObject({
    type: z.literal('kafka').describe('Kafka'),
    brokers: listOf(
      pattern('host:port', /^[A-Za-z0-9.-]+:\d{1,5}$|^\[[0-9A-Fa-f:.]+\]:\d{1,5}$/),
      'brokers as host:port',
    ).describe('Bootstrap brokers'),
    clientId: clientId.default('throughline').describe('Client id that brokers log and count quotas by'),
    tls: flag()
      .prefault(false)
      .describe("TLS with the machine's certificate authorities (and those of NODE_EXTRA_CA_CERTS)"),
    certificates: z
      .strictObject({
        ca: pemFile
          .describe("Authorities that vouch for the brokers, instead of the machine's")
          .exactOptional(),
        cert: pemFile.describe('Certificate that this client shows').exactOptional(),
        key: pemFile.describe('Its private key').exactOptional(),
      })
      .exactOptional()
      .describe('TLS with certificates of your own, from PEM files that are read once at start'),
    sasl: z
      .discriminatedUnion(
        'mechanism',
        [
          z.strictObject({
            mechanism: word(['PLAIN', 'SCRAM-SHA-256', 'SCRAM-SHA-512']).describe('Mechanism'),
            username: text('a user name').describe('User name'),
            password: text('a password').describe('Password; best kept in the environment'),
          }),
          z.strictObject({
            mechanism: z.literal('OAUTHBEARER').describe('Mechanism'),
            tokenFile: text('the path of a file').describe(
              'File with the bearer token; read again for every login, so that whoever keeps it fresh may write it anew',
            ),
          }),
        ],
        { error: 'expected PLAIN, SCRAM-SHA-256, SCRAM-SHA-512 or OAUTHBEARER' },
      )
      .exactOptional()
      .describe('SASL credentials'),
  }),
  mqtt: z.strictObject({
    type: z.literal('mqtt').describe('MQTT 5 or 3.1.1'),
    url: text('an address such as mqtt://localhost:1883 (mqtts:// with TLS)', (value) =>
      faultOfUrl(value, ['mqtt:', 'mqtts:', 'ws:', 'wss:']),
    ).describe('The broker'),
    protocolVersion: z
      .union([z.literal([4, 5]), z.enum(['4', '5']).transform((value) => MQTT_VERSIONS[value])], {
        error: 'expected 4 (MQTT 3.1.1) or 5',
      })
      .prefault(5)
      .describe('5, or 4 for MQTT 3.1.1, which carries no headers without envelope'),
    envelope: flag()
      .prefault(false)
      .describe('Headers and event together in the payload, as JSON, both ways; for MQTT 3.1.1'),
    clientId: clientId
      .exactOptional()
      .describe(
        'Fixed client id: by it the broker keeps the session, and what arrives in it, over a restart',
      ),
    username: text('a user name').exactOptional().describe('User name'),
    password: text('a password').exactOptional().describe('Password; best kept in the environment'),
  }),
  rabbitmq: z.strictObject({
    type: z.literal('rabbitmq').describe('RabbitMQ, by AMQP 0-9-1'),
    url: text('an address such as amqp://localhost:5672/vhost (amqps:// with TLS)', (value) =>
      faultOfUrl(value, ['amqp:', 'amqps:']),
    ).describe('The broker; without a path its virtual host /'),
    username: text('a user name').exactOptional().describe('User name. Default: the one in url, else guest'),
    password: text('a password').exactOptional().describe('Password; best kept in the environment'),
    connectionName: text('a name')
      .exactOptional()
      .describe("Name that the broker's tools show. Default throughline"),
  }),
} as const

export type TransportName = keyof typeof connectionSchemas
