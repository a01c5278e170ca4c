import { z } from 'zod'
import { connectionSchemas } from './connections.ts'
import { deadLetterSchemas, sourceSchemas, targetSchemas } from './ends.ts'
import { address, durationRange, integer, word } from './field.ts'
import { name } from './name.ts'

/**
 * The configuration's one schema: the parser, the JSON Schema for editors and the reference page are made from it.
 * Descriptions are the reference's words.
 */

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
