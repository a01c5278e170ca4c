import { z } from 'zod'
import { faultOfKafkaTopic, faultOfMqttTopic, faultOfRoutingKey } from '../template.ts'
import {
  faultOfFilter,
  faultOfKafkaTemplate,
  faultOfMqttTemplate,
  faultOfRoutingKeyTemplate,
  faultOfUrlTemplate,
} from './fault.ts'
import { duration, faultOfUrl, flag, integer, listOf, pattern, template, text, word } from './field.ts'
import { name } from './name.ts'

const connection = name.describe('Name of the connection')
const raw = flag()
  .prefault(false)
  .describe('true: the messages are no CloudEvents; bytes pass untouched. On both sides or on neither')
const mode = word(['binary', 'structured'])
  .default('binary')
  .describe('Content mode: attributes as headers, or the whole event as JSON in the body')

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

/** An object whose result says which transport it is for; the file does not, its connection does. */
function tagged<Name extends string, Shape extends z.ZodRawShape>(transport: Name, shape: Shape) {
  return z.strictObject(shape).transform((value) => ({ transport, ...value }))
}
