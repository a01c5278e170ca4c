import { ClientInstrumentation, type Supported, type Tracing } from '../instrumentation.ts'
import type { ClientInstrumentationConfig } from '../options.ts'
import { definedTexts, type KafkaSettings, patchKafka } from './kafkajs.ts'

/**
 * @confluentinc/kafka-javascript: its namespace `KafkaJS`, which mirrors kafkajs. Its other one, `RdKafka`, is left alone.
 * See docs/instrumentation/confluent-kafka.md.
 */
export class ConfluentKafkaInstrumentation extends ClientInstrumentation {
  protected supported(): Supported {
    return { client: '@confluentinc/kafka-javascript', from: '1.0.0', before: 2 }
  }

  protected patch(module: unknown, tracing: Tracing<ClientInstrumentationConfig>): void {
    const { KafkaJS, default: exports } = Object(module) as { readonly [name: string]: unknown }
    patchKafka(KafkaJS ?? (Object(exports) as { readonly KafkaJS?: unknown }).KafkaJS, settingsOf, tracing)
  }
}

/**
 * Options stand in librdkafka's names, and under `kafkaJS` in those of kafkajs. The client merges each of the two, those of
 * a producer or consumer over those that all share, and then takes librdkafka's where both say something.
 */
function settingsOf(common: unknown, options: unknown): KafkaSettings {
  const named: Named = { ...Object(common), ...Object(options) }
  const { brokers, clientId, groupId, autoCommit }: Named = { ...kafkaJsOf(common), ...kafkaJsOf(options) }
  const servers = named['bootstrap.servers'] ?? named['metadata.broker.list']
  return {
    ...definedTexts({
      broker:
        typeof servers === 'string'
          ? servers.split(',')[0]?.trim()
          : Array.isArray(brokers)
            ? brokers[0]
            : undefined,
      clientId: named['client.id'] ?? clientId,
      groupId: named['group.id'] ?? groupId,
    }),
    ...(isOff(named['enable.auto.commit'] ?? autoCommit) ? { autoCommit: false } : {}),
  }
}

type Named = { readonly [name: string]: unknown }

function kafkaJsOf(options: unknown): object {
  return Object((Object(options) as { readonly kafkaJS?: unknown }).kafkaJS)
}

/** librdkafka reads words, too. */
function isOff(value: unknown): boolean {
  return value === false || value === 'false'
}
