import { z } from 'zod'
import {
  faultOfKafkaTopic,
  faultOfMqttTopic,
  faultOfRoutingKey,
  isStatic,
  type Template,
} from '../template.ts'
import {
  address,
  duration,
  durationRange,
  faultOfUrl,
  flag,
  integer,
  listOf,
  pattern,
  template,
  text,
  word,
} from './field.ts'

/**
 * The configuration's one schema: the parser, the JSON Schema for editors and the reference page are made from it.
 * Descriptions are the reference's words.
 */

export const NAME = /^[A-Za-z][A-Za-z0-9_-]*$/
const name = pattern('a name: a letter, then letters, digits, - and _', NAME)
const connection = name.describe('Name of the connection')
const raw = flag()
  .prefault(false)
  .describe('true: the messages are no CloudEvents; bytes pass untouched. On both sides or on neither')
const mode = word(['binary', 'structured'])
  .default('binary')
  .describe('Content mode: attributes as headers, or the whole event as JSON in the body')

const MQTT_VERSIONS = { 4: 4, 5: 5 } as const
const clientId = pattern('a client id of letters, digits, dots, - and _', /^[A-Za-z0-9._-]{1,64}$/)

const pemFile = text('the path of a PEM file')

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

const kafkaTopic = text('a Kafka topic name', faultOfKafkaTopic)
const qos = z
  .union([z.literal([0, 1, 2]), z.enum(['0', '1', '2']).transform((value) => QOS[value])], {
    error: 'expected 0, 1 or 2',
  })
  .prefault(1)
const QOS = { 0: 0, 1: 1, 2: 2 } as const
const exchangeName = pattern(
  'the name of an exchange, without a colon; empty for the default exchange',
  /^[^:{}]{0,127}$/,
).prefault('')
const EXCHANGE_TYPES = ['direct', 'fanout', 'topic', 'headers'] as const
const QUEUE_TYPES = ['classic', 'quorum'] as const
const queueName = text('the name of a queue', (value) =>
  Buffer.byteLength(value) > 255 ? 'is longer than 255 bytes' : null,
)
const declared = word([...EXCHANGE_TYPES, ...QUEUE_TYPES])
  .exactOptional()
  .describe(
    'Declares, durable, the exchange as direct, fanout, topic or headers; without an exchange the queue that routingKey names as classic or quorum. Default: it has to be there',
  )
const mandatory = flag()
  .prefault(true)
  .describe('What no queue takes is an error. false: the broker drops it without a word')
const httpUrl = 'a URL such as http://localhost:8080/events'

function headers() {
  const token = pattern('a header name', /^[\w!#$%&'*+.^`|~-]+$/)
  const value = text('a header value', (each) => {
    if (/[^\t\u0020-\u007e]/.test(each)) return 'has a character that is not visible ASCII'
    return each.includes('{{') ? 'has a {{ … }}, which is not filled in here' : null
  })
  return z.record(token, value)
}

/** `from`, by the connection's type. */
export const sourceSchemas = {
  http: tagged('http', {
    connection,
    path: pattern('a path such as /events', /^\/[^\s?#{}]*$/).describe('Path that requests are taken at'),
    methods: listOf(word(['POST', 'PUT', 'PATCH']), 'POST, PUT or PATCH')
      .prefault(['POST'])
      .describe('Methods that are taken'),
    headers: listOf(
      pattern('a header name', /^[\w!#$%&'*+.^`|~-]+$/).transform((value) => value.toLowerCase()),
      'header names',
      0,
    )
      .prefault(() => [])
      .describe('Request headers that travel on beside the event; no others do'),
    timeout: duration('1ms')
      .prefault('10s')
      .describe("How long a request waits for the destination's confirmation until it is answered 503"),
    maxBodyBytes: integer(1, 100_000_000).prefault(1_048_576).describe('Greatest body; more is answered 413'),
    accessToken: listOf(text('an access token'), 'access tokens')
      .exactOptional()
      .describe(
        'A token that requests have to bring as `Authorization: Bearer …`; others are answered 401. Several while one takes the place of another; best kept in the environment. Default: everybody may send',
      ),
    webhook: z
      .strictObject({
        origins: listOf(text('a sender such as events.example.com, or *'), 'senders').describe(
          'Senders that are given permission, or `*`',
        ),
        requestsPerMinute: integer(1, 1_000_000)
          .exactOptional()
          .describe('Requests that are taken in any minute; more are answered 429. Default: no limit'),
      })
      .exactOptional()
      .describe("Answers the validation requests of CloudEvents' webhooks. Default: they are answered 405"),
    raw,
  }),
  kafka: tagged('kafka', {
    connection,
    topics: listOf(kafkaTopic, 'Kafka topics').describe('Topics to read'),
    group: text('the name of a consumer group').describe(
      'Consumer group; its offsets say where the route goes on',
    ),
    start: word(['earliest', 'latest']).default('earliest').describe('Where a group without offsets begins'),
    sessionTimeout: duration('1s')
      .prefault('10s')
      .describe(
        'How long the group waits for a process that has died; the broker allows 6s to 30m by default',
      ),
    raw,
  }),
  mqtt: tagged('mqtt', {
    connection,
    topics: listOf(text('an MQTT topic filter', faultOfFilter), 'MQTT topic filters').describe(
      'Topic filters; + and # are wildcards',
    ),
    qos: qos.describe('Highest quality of service asked for'),
    share: pattern('the name of a share', /^[^+#/\s]+$/)
      .exactOptional()
      .describe('Share name: subscribers with the same one divide the messages among them'),
    raw,
  }),
  rabbitmq: tagged('rabbitmq', {
    connection,
    queue: queueName.describe('Queue to read'),
    prefetch: integer(1, 65_535)
      .prefault(256)
      .describe('Unsettled deliveries at which the broker stops sending'),
    declare: word(QUEUE_TYPES)
      .exactOptional()
      .describe('Declares the queue, durable, as classic or quorum. Default: it has to be there'),
    bindings: z
      .array(
        z.strictObject({
          exchange: pattern('the name of an exchange', /^[^:{}]{1,127}$/).describe('Exchange'),
          routingKey: z
            .string({ error: 'expected a routing key' })
            .max(255)
            .prefault('')
            .describe('Routing key; of a topic exchange a pattern: * is one word, # any number'),
          declare: word(EXCHANGE_TYPES)
            .exactOptional()
            .describe('Declares the exchange, durable, with this type. Default: it has to be there'),
        }),
      )
      .prefault(() => [])
      .describe('What the queue is bound to'),
    raw,
  }),
} as const

/** `to`, by the connection's type. */
export const targetSchemas = {
  http: tagged('http', {
    connection,
    url: template(httpUrl, faultOfUrlTemplate).describe(
      'Where events are posted; {{ … }} in path and query only',
    ),
    headers: headers()
      .prefault(() => ({}))
      .describe('Headers of every request'),
    mode,
    raw,
  }),
  kafka: tagged('kafka', {
    connection,
    topic: template('a Kafka topic name', faultOfKafkaTemplate).describe('Topic'),
    key: template('a record key')
      .exactOptional()
      .describe(
        "Record key. Default: the source record's key, else partitionkey, else what the source keeps order by",
      ),
    partition: integer(0, 1_000_000).exactOptional().describe('Fixed partition. Default: by the key'),
    mode,
    raw,
  }),
  mqtt: tagged('mqtt', {
    connection,
    topic: template('an MQTT topic without wildcards', faultOfMqttTemplate).describe('Topic'),
    qos: qos.describe('Quality of service'),
    retain: flag()
      .prefault(false)
      .describe('Whether the broker keeps the last message for later subscribers'),
    mode,
    raw,
  }),
  rabbitmq: tagged('rabbitmq', {
    connection,
    exchange: exchangeName.describe(
      'Exchange. Default: the default exchange, of which routingKey names a queue',
    ),
    routingKey: template('a routing key', faultOfRoutingKeyTemplate).exactOptional().describe('Routing key'),
    declare: declared,
    persistent: flag()
      .prefault(true)
      .describe("Whether messages survive the broker's restart, in queues that do"),
    mandatory,
    mode,
    raw,
  }),
} as const

/** `deadLetter`, by the connection's type: fixed places, because an invalid event has nothing to fill a template with. */
export const deadLetterSchemas = {
  http: tagged('http', {
    connection,
    url: text(httpUrl, (value) => faultOfUrl(value, ['http:', 'https:'])).describe(
      'Where dead letters are posted',
    ),
    headers: headers()
      .prefault(() => ({}))
      .describe('Headers of every request'),
  }),
  kafka: tagged('kafka', { connection, topic: kafkaTopic.describe('Topic') }),
  mqtt: tagged('mqtt', {
    connection,
    topic: text('an MQTT topic', faultOfMqttTopic).describe('Topic'),
    qos: qos.describe('Quality of service'),
  }),
  rabbitmq: tagged('rabbitmq', {
    connection,
    exchange: exchangeName.describe(
      'Exchange. Default: the default exchange, of which routingKey names a queue',
    ),
    routingKey: text('a routing key', faultOfRoutingKey).exactOptional().describe('Routing key'),
    declare: declared,
  }),
} as const

/** `deadLetter: broker`: the source's own. */
export const BROKER = 'broker'

/** What a route has beside its ends. */
export const routeShape = {
  retry: z
    .strictObject({
      attempts: integer(1, 1000)
        .prefault(5)
        .describe(
          'Failures of an event of its own until it is given up; a destination that is away spends none',
        ),
      backoff: durationRange().prefault('200ms..30s').describe('First and longest wait between attempts'),
    })
    .prefault({})
    .describe('How often a failed event is tried'),
  onExhausted: word(['stop', 'drop'])
    .default('stop')
    .describe(
      'Without deadLetter: stop the route at the event that was given up, or drop the event and go on',
    ),
  trace: z
    .strictObject({
      trust: word(['continue', 'link', 'ignore'])
        .default('continue')
        .describe("What a sender's trace context may do"),
      linkage: word(['parent', 'link'])
        .default('parent')
        .describe('One trace from end to end, or a new one with a link'),
      propagate: word(['all', 'trace', 'none'])
        .exactOptional()
        .describe(
          'What is sent on: all, all but baggage, nothing. Default all; trace for HTTP beyond this machine',
        ),
    })
    .prefault({})
    .describe('How the trace goes on'),
} as const

export const adminSchema = z.strictObject({
  listen: address().describe('Where /livez, /readyz and /routes are served'),
})

/** The whole file, for the JSON Schema and the reference. The reader takes the parts, to say which connection asks for what. */
export const fileSchema = z.strictObject({
  connections: z
    .record(name, z.discriminatedUnion('type', inOrder(connectionSchemas)))
    .describe('Brokers and servers, by name'),
  routes: z
    .record(
      name,
      z.strictObject({
        from: z.union(inOrder(sourceSchemas)).describe('Where events come from'),
        to: z.union(inOrder(targetSchemas)).describe('Where they go'),
        deadLetter: z
          .union([...inOrder(deadLetterSchemas), z.literal(BROKER)])
          .exactOptional()
          .describe(
            'Where events go that are given up. broker, from RabbitMQ only: the dead letter exchange of the queue; one that has none drops them',
          ),
        ...routeShape,
      }),
    )
    .describe('Routes, by name'),
  admin: adminSchema.exactOptional().describe('HTTP server for probes'),
})

function inOrder<Http, Kafka, Mqtt, Rabbitmq>(schemas: {
  http: Http
  kafka: Kafka
  mqtt: Mqtt
  rabbitmq: Rabbitmq
}): [Http, Kafka, Mqtt, Rabbitmq] {
  return [schemas.http, schemas.kafka, schemas.mqtt, schemas.rabbitmq]
}

/** An object whose result says which transport it is for; the file does not, its connection does. */
function tagged<Name extends string, Shape extends z.ZodRawShape>(transport: Name, shape: Shape) {
  return z.strictObject(shape).transform((value) => ({ transport, ...value }))
}

function faultOfFilter(filter: string): string | null {
  if (filter.startsWith('$share/')) return 'is a shared subscription: write its name as share'
  if (filter.includes('\0')) return 'has a NUL'
  const levels = filter.split('/')
  const misplaced = levels.some(
    (level, index) =>
      (level.length > 1 && /[+#]/.test(level)) || (level === '#' && index < levels.length - 1),
  )
  return misplaced ? 'has a wildcard that is not a whole level, or a # that is not the last' : null
}

function constants({ parts }: Template): string[] {
  return parts.filter((part) => typeof part === 'string')
}

function faultOfKafkaTemplate(topic: Template): string | null {
  if (isStatic(topic)) return faultOfKafkaTopic(topic.source)
  return constants(topic).every((part) => faultOfKafkaTopic(`x${part}`) === null)
    ? null
    : 'is no Kafka topic name'
}

function faultOfMqttTemplate(topic: Template): string | null {
  if (isStatic(topic)) return faultOfMqttTopic(topic.source)
  const example = topic.parts.map((part) => (typeof part === 'string' ? part : 'x')).join('')
  return faultOfMqttTopic(example)
}

function faultOfRoutingKeyTemplate(routingKey: Template): string | null {
  return faultOfRoutingKey(constants(routingKey).join(''))
}

function faultOfUrlTemplate(url: Template): string | null {
  const [first] = url.parts
  if (!isStatic(url) && (typeof first !== 'string' || !/^https?:\/\/[^/?#\s]+[/?]/i.test(first))) {
    return 'has a {{ … }} outside of path and query'
  }
  const example = url.parts.map((part) => (typeof part === 'string' ? part : 'x')).join('')
  const fault = faultOfUrl(example, ['http:', 'https:'])
  if (fault !== null) return fault
  return example.includes('#') ? 'has a fragment, which is never sent' : null
}
