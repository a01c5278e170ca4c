import type { Attributes } from '@opentelemetry/api'
import { ClientInstrumentation, type Supported, type Tracing } from '../instrumentation.ts'
import { createAttempts } from '../messages/attempts.ts'
import { createProcesses } from '../messages/processes.ts'
import { createSends } from '../messages/sends.ts'
import { type Client, serverAttributes } from '../messages/system.ts'
import type { ClientInstrumentationConfig } from '../options.ts'
import { KAFKA_PORT, kafka } from '../systems/kafka.ts'
import { createTracedProducer, patchProducer, type Serializers } from './platformatic-kafka-producer.ts'
import { patchStream } from './platformatic-kafka-stream.ts'

/**
 * `@platformatic/kafka`: `send` of producers, of their transactions and of their streams, and how the streams of consumers
 * hand messages over. See docs/instrumentation/platformatic-kafka.md.
 */
export class PlatformaticKafkaInstrumentation extends ClientInstrumentation {
  protected supported(): Supported {
    return { client: '@platformatic/kafka', from: '2.2.3', before: 3 }
  }

  protected patch(module: unknown, { patches, config, scope }: Tracing<ClientInstrumentationConfig>): void {
    const { kOptions, noopCallback, stringSerializer, Producer, ProducerStream, MessagesStream } = Object(
      module,
    ) as KafkaModule
    if (Producer === undefined) return

    const optionsOf = (client: object) => Object(Reflect.get(client, kOptions)) as ClientOptions

    const tracedProducer = remembered((producer) => {
      const options = optionsOf(producer)
      const client = clientOf(options)
      const sends = createSends(client, config(), scope)
      const opaque = withoutBody(config())
      return createTracedProducer(
        options.registry?.getSerializers() ?? options.serializers ?? {},
        sends,
        opaque === undefined ? sends : createSends(client, opaque, scope),
        stringSerializer,
      )
    })
    patchProducer(Producer.prototype, ProducerStream?.prototype, tracedProducer, patches)

    const tracedConsumer = remembered((consumer) => {
      const options = optionsOf(consumer)
      const client = clientOf(options)
      const attributes: Attributes = {}
      if (typeof options.groupId === 'string') attributes['messaging.consumer.group.name'] = options.groupId
      const processes = createProcesses(client, attributes, config(), scope)
      const opaque = withoutBody(config())
      return {
        processes,
        opaqueProcesses:
          opaque === undefined ? processes : createProcesses(client, attributes, opaque, scope),
        attempts: createAttempts(),
      }
    })
    patchStream(MessagesStream?.prototype, noopCallback, tracedConsumer, patches)
  }
}

interface KafkaModule {
  /** Where a client keeps its options. */
  readonly kOptions: symbol
  readonly noopCallback?: unknown
  readonly stringSerializer?: unknown
  readonly Producer?: { readonly prototype: object }
  readonly ProducerStream?: { readonly prototype: object }
  readonly MessagesStream?: { readonly prototype: object }
}
interface ClientOptions {
  readonly clientId?: unknown
  readonly groupId?: unknown
  readonly bootstrapBrokers?: readonly unknown[]
  readonly serializers?: Serializers
  readonly registry?: { getSerializers(): Serializers }
}

/** What is made of each object once, when it is first asked for. */
function remembered<Made>(make: (key: object) => Made): (key: object) => Made {
  const made = new WeakMap<object, Made>()
  return (key) => {
    let value = made.get(key)
    if (value === undefined) {
      value = make(key)
      made.set(key, value)
    }
    return value
  }
}

function clientOf({ clientId, bootstrapBrokers }: ClientOptions): Client {
  const connection: Attributes = serverAttributes(addressOf(bootstrapBrokers?.[0]), KAFKA_PORT)
  if (typeof clientId === 'string') connection['messaging.client.id'] = clientId
  return { system: kafka, connection }
}

/** `host:port`, or an object that has the two. */
function addressOf(broker: unknown): string | undefined {
  if (typeof broker === 'string') return broker
  const { host, port } = Object(broker) as { readonly host?: unknown; readonly port?: unknown }
  if (typeof host !== 'string') return undefined
  return `${host.includes(':') ? `[${host}]` : host}:${port ?? KAFKA_PORT}`
}

/** Options for messages whose bodies are not known as bytes; undefined where those given are good for them too. */
function withoutBody(config: ClientInstrumentationConfig): ClientInstrumentationConfig | undefined {
  const { capture } = config
  if (capture?.bodySize !== true && !capture?.bodyChars) return undefined
  return { ...config, capture: { ...capture, bodySize: false, bodyChars: 0 } }
}
