import { Admin } from '@platformatic/kafka'
import { hasApiId, kafkaError } from './errors.ts'
import { clientOptions, connectionOf, type KafkaOptions } from './options.ts'

const ALREADY_EXISTS: ReadonlySet<string> = new Set(['TOPIC_ALREADY_EXISTS'])

/** A topic as `createTopics` is to make it. */
export interface TopicSpecification {
  readonly name: string
  /** Default: the broker's own. */
  readonly partitions?: number
  /** Default: the broker's own. */
  readonly replicas?: number
  /** Topic settings, `max.message.bytes` and the like. Default: the broker's own. */
  readonly settings?: Readonly<Record<string, string>>
}

/**
 * Creates the topics that do not exist; those that do are left as they are. Resolves to the names of the new ones.
 * Throws UnavailableError when the broker cannot be reached, PermanentError when it refuses.
 */
export async function createTopics(
  options: KafkaOptions,
  topics: readonly TopicSpecification[],
): Promise<readonly string[]> {
  const connection = connectionOf(options)
  const admin = new Admin({ ...clientOptions(connection), requestTimeout: 30_000, timeout: 30_000 })
  const created: string[] = []
  try {
    for (const { name, partitions, replicas, settings = {} } of topics) {
      try {
        await admin.createTopics({
          topics: [
            {
              topic: name,
              ...(partitions === undefined ? {} : { partitions }),
              ...(replicas === undefined ? {} : { replicas }),
            },
          ],
          configs: Object.entries(settings).map(([setting, value]) => ({ name: setting, value })),
        })
        created.push(name)
      } catch (error) {
        if (hasApiId(error, ALREADY_EXISTS)) continue
        throw kafkaError(error, connection, `topic ${name} could not be created`)
      }
    }
  } finally {
    await admin.close().catch(() => undefined)
  }
  return created
}
