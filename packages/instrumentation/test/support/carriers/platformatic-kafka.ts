import { PlatformaticKafkaInstrumentation } from '@throughline/instrumentation'
import { type Carrier, unwrapped } from '../carrier.ts'
import { texts, topicSpans } from '../kafka.ts'
import { createTopics, loadPlatformaticKafka, textConsumer, textProducer } from '../platformatic-kafka.ts'

const instrumentation = new PlatformaticKafkaInstrumentation()

export const platformaticKafka: Carrier = {
  name: '@platformatic/kafka',
  instrumentation,
  methods: unwrapped(instrumentation, () => {
    const { Producer, ProducerStream, MessagesStream } = loadPlatformaticKafka()
    return [Producer.prototype, ProducerStream.prototype, MessagesStream.prototype]
  }),
  async open(t) {
    const [topic = ''] = await createTopics(t)
    const group = `group-${topic}`
    const producer = textProducer(t)
    return {
      ...topicSpans(topic, group),
      async consume(handle) {
        const consumer = textConsumer(t, { groupId: group })
        const stream = await consumer.consume({
          topics: [topic],
          mode: 'earliest',
          autocommit: true,
          maxWaitTime: 100,
        })
        stream.on('data', ({ headers }) => handle(texts(headers)))
      },
      async publish(headers) {
        await producer.send({ messages: [{ topic, value: 'one', headers }] })
      },
    }
  },
}
