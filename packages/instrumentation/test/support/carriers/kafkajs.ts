import { KafkaJsInstrumentation } from '@throughline/instrumentation'
import { type Carrier, unwrapped } from '../carrier.ts'
import { texts, topicSpans } from '../kafka.ts'
import { consume, loadKafkaJs, setUp } from '../kafkajs.ts'

const instrumentation = new KafkaJsInstrumentation()

export const kafkajs: Carrier = {
  name: 'kafkajs',
  instrumentation,
  methods: unwrapped(instrumentation, () => [loadKafkaJs(), loadKafkaJs().Kafka.prototype]),
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
