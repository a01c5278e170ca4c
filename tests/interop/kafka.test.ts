import { randomUUID } from 'node:crypto'
import { describe } from 'node:test'
import type { CloudEvent, ContentMode } from '@throughline/core'
import { kafka } from '@throughline/kafka'
import { createTopics } from '../../scripts/brokers/topics.ts'
import { brokers } from '../support/pipeline.ts'
import { testDirections, type Wire } from './support/directions.ts'
import { go, python } from './support/program.ts'

async function newTopic(): Promise<string> {
  const name = `interop-${randomUUID()}`
  await createTopics(brokers().kafkaBrokers, [{ name }])
  return name
}

const wire: Wire = {
  transport: 'kafka',
  async subscribe(handler) {
    const { kafkaBrokers } = brokers()
    const topic = await newTopic()
    const broker = kafka({ brokers: kafkaBrokers })
    await broker.subscribe({ topics: [topic], group: `${topic}-ours` }, handler)
    return { producerArgs: [kafkaBrokers, topic], [Symbol.asyncDispose]: () => broker.close() }
  },
  async route(count) {
    const { kafkaBrokers } = brokers()
    const topic = await newTopic()
    return {
      consumerArgs: [kafkaBrokers, topic, String(count)],
      publisher: () => kafka({ brokers: kafkaBrokers }).publisher({ topic }),
    }
  },
}

/** The Python SDK's `kafka.to_structured` writes no data as `"data": null`. */
const asPythonSends = (event: CloudEvent, mode: ContentMode): CloudEvent =>
  mode === 'structured' && event.data === undefined ? { ...event, data: null } : event

describe('Kafka and Python: confluent-kafka, cloudevents', () =>
  testDirections('Python', python, wire, asPythonSends))
describe('Kafka and Go: segmentio/kafka-go', () => testDirections('Go', go, wire))
