import type { Attributes } from '@opentelemetry/api'
import { guarded } from '../guard.ts'
import { ClientInstrumentation, type Supported, type Tracing } from '../instrumentation.ts'
import { createAttempts } from '../messages/attempts.ts'
import { createProcesses } from '../messages/processes.ts'
import { createSends } from '../messages/sends.ts'
import { serverAttributes } from '../messages/system.ts'
import type { ClientInstrumentationConfig } from '../options.ts'
import { KAFKA_PORT, kafka } from '../systems/kafka.ts'
import { tracedRun } from './kafkajs-consumer.ts'
import { patchSender } from './kafkajs-producer.ts'

/**
 * kafkajs: `send` and `sendBatch` of producers and of transactions, `eachMessage` and `eachBatch` of consumers. See
 * docs/instrumentation/kafkajs.md.
 */
export class KafkaJsInstrumentation extends ClientInstrumentation {
  protected supported(): Supported {
    return { client: 'kafkajs', from: '2.0.0', before: 3 }
  }

  protected patch(module: unknown, tracing: Tracing<ClientInstrumentationConfig>): void {
    patchKafka(module, settingsOf, tracing)
  }
}

/** What spans tell of a client's options. */
export interface KafkaSettings {
  /** The first one's address, as it was given. */
  readonly broker?: string | undefined
  readonly clientId?: string | undefined
  readonly groupId?: string | undefined
  /** False where offsets are committed by the application; undefined where `run` says it, or nobody does. */
  readonly autoCommit?: false
}

/** What instances of `Kafka` were made with; they outlast the instrumentation's being disabled. */
const shared = new WeakMap<object, unknown>()

type TextSettings = Omit<KafkaSettings, 'autoCommit'>

/**
 * Wraps the class `Kafka` of a module, kafkajs or what mirrors it, whose instances make producers and consumers.
 * `settingsOf` reads the options that all of an instance's share, and those of one.
 */
export function patchKafka(
  module: unknown,
  settingsOf: (common: unknown, options: unknown) => KafkaSettings,
  { patches, scope, config, isEnabled }: Tracing<ClientInstrumentationConfig>,
): void {
  function clientOf(kafkaClient: object, options: unknown) {
    const { broker, clientId, groupId, autoCommit } = settingsOf(shared.get(kafkaClient), options)
    const connection: Attributes = serverAttributes(broker, KAFKA_PORT)
    if (clientId !== undefined) connection['messaging.client.id'] = clientId
    return { client: { system: kafka, connection }, groupId, autoCommit }
  }

  for (const exports of exportsOf(module)) {
    patches.construct(exports, 'Kafka', (made, [options]) => shared.set(made, options))

    patches.wrap(
      exports.Kafka.prototype,
      'producer',
      (original) =>
        function (...args) {
          const producer = original.apply(this, args)
          guarded('a kafkajs producer', () => {
            const { client } = clientOf(this, args[0])
            patchSender(producer, createSends(client, config(), scope), patches)
          })
          return producer
        },
    )

    patches.wrap(
      exports.Kafka.prototype,
      'consumer',
      (original) =>
        function (...args) {
          const consumer = original.apply(this, args)
          guarded('a kafkajs consumer', () => {
            const { client, groupId, autoCommit } = clientOf(this, args[0])
            const attributes: Attributes = {}
            if (groupId !== undefined) attributes['messaging.consumer.group.name'] = groupId
            const processes = createProcesses(client, attributes, config(), scope)
            const traced = { processes, attempts: createAttempts(), autoCommit, isEnabled }
            patches.wrapOwn(
              consumer,
              'run',
              (run) =>
                function (options, ...rest) {
                  const given = guarded('kafkajs run', () => tracedRun(options, traced)) ?? options
                  return run.call(this, given, ...rest)
                },
            )
          })
          return consumer
        },
    )
  }
}

interface KafkaModule {
  readonly Kafka: { readonly prototype: object }
}

/** A module's exports, and where it was imported those of its `default` too: they are what `require` gives. */
function exportsOf(module: unknown): KafkaModule[] {
  const { default: ofDefault } = Object(module) as { readonly default?: unknown }
  return [module, ofDefault].filter(hasKafka)
}

function hasKafka(exports: unknown): exports is KafkaModule {
  return typeof (Object(exports) as { readonly Kafka?: unknown }).Kafka === 'function'
}

function settingsOf(common: unknown, options: unknown): KafkaSettings {
  const { brokers, clientId } = Object(common) as { readonly [name: string]: unknown }
  const { groupId } = Object(options) as { readonly groupId?: unknown }
  return definedTexts({ broker: Array.isArray(brokers) ? brokers[0] : undefined, clientId, groupId })
}

/** Those that are texts. */
export function definedTexts(settings: { readonly [Name in keyof TextSettings]: unknown }): TextSettings {
  return Object.fromEntries(Object.entries(settings).filter(([, value]) => typeof value === 'string'))
}
