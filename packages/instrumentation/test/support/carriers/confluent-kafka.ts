import { ConfluentKafkaInstrumentation } from '@throughline/instrumentation'
import { type Carrier, unwrapped } from '../carrier.ts'
import { CLIENT, consume, loadConfluentKafka, setUp } from '../confluent-kafka.ts'
import { texts, topicSpans } from '../kafka.ts'

/** Where the client is installed. */
export function confluentKafka(): Carrier {
  const instrumentation = new ConfluentKafkaInstrumentation()
  const methods = unwrapped(instrumentation, () => {
    const { KafkaJS } = loadConfluentKafka()
    return [KafkaJS, KafkaJS.Kafka.prototype]
  })
  return {
    name: CLIENT,
    instrumentation,
    methods,
    async open(t) {
      const { kafka, producer, topic, group } = await setUp(t)
      return {
        ...topicSpans(topic, group),
        async consume(handle) {
          await consume(t, kafka, {
            topics: [topic],
            group,
            eachMessage: async ({ message }) => handle(texts(Object.entries(message.headers ?? {}))),
          })
        },
        async publish(headers) {
          await producer.send({ topic, messages: [{ value: 'one', headers }] })
        },
      }
    },
  }
}
