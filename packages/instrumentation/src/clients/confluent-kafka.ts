import { ClientInstrumentation, type Supported, type Tracing } from '../instrumentation.ts'
import type { ClientInstrumentationConfig } from '../options.ts'
import { definedTexts, type KafkaSettings, patchKafka } from './kafkajs.ts'

/**
 * @confluentinc/kafka-javascript: its namespace `KafkaJS`, which mirrors kafkajs. Its other one, `RdKafka`, is left alone.
 * See docs/instrumentation/kafkajs.md.
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

/** Options stand in librdkafka's names, and under `kafkaJS` in those of kafkajs. */
function settingsOf(options: unknown): KafkaSettings {
  const own = Object(options) as { readonly [name: string]: unknown }
  const { brokers, clientId, groupId, autoCommit } = Object(own.kafkaJS) as {
    readonly [name: string]: unknown
  }
  const servers = own['bootstrap.servers'] ?? own['metadata.broker.list']
  return {
    ...definedTexts({
      broker: Array.isArray(brokers)
        ? brokers[0]
        : typeof servers === 'string'
          ? servers.split(',')[0]?.trim()
          : undefined,
      clientId: clientId ?? own['client.id'],
      groupId: groupId ?? own['group.id'],
    }),
    ...((autoCommit ?? own['enable.auto.commit']) === false ? { autoCommit: false } : {}),
  }
}
