import { Admin, ProtocolError } from '@platformatic/kafka'

export interface TopicSpec {
  name: string
  /** 1 where it is left out. */
  partitions?: number
}

/**
 * Creates the topics that do not exist yet; the others stay as they are.
 *
 * @param bootstrap `host:port`, several with commas between.
 */
export async function createTopics(bootstrap: string, topics: readonly TopicSpec[]): Promise<void> {
  const admin = new Admin({
    clientId: 'throughline-scripts',
    bootstrapBrokers: bootstrap.split(','),
    retries: 5,
  })
  try {
    for (const { name, partitions = 1 } of topics) {
      await admin.createTopics({ topics: [name], partitions, replicas: 1 }).catch((error: unknown) => {
        if (!alreadyExists(error)) throw error
      })
    }
  } finally {
    await admin.close()
  }
}

function alreadyExists(error: unknown): boolean {
  if (error instanceof ProtocolError) return error.apiId === 'TOPIC_ALREADY_EXISTS'
  if (error instanceof AggregateError) return error.errors.some(alreadyExists)
  return error instanceof Error && error.cause !== undefined && alreadyExists(error.cause)
}
