/**
 * Orders are handled one by one and passed on, audits are handled in batches.
 * @param {import('../../support/confluent-kafka.ts').ConfluentModule['KafkaJS']} KafkaJS
 */
exports.run = async ({ Kafka }) => {
  const brokers = String(process.env.KAFKA_BROKERS).split(',')
  const prefix = String(process.env.TOPIC_PREFIX)
  const [orders, parcels, audits] = [`${prefix}-orders`, `${prefix}-parcels`, `${prefix}-audits`]
  const kafka = new Kafka({ kafkaJS: { brokers, clientId: 'shop', logLevel: 0 } })
  const admin = kafka.admin()
  await admin.connect()
  await admin.createTopics({
    topics: [orders, parcels, audits].map((topic) => ({ topic, numPartitions: 1 })),
  })
  await admin.disconnect()

  const producer = kafka.producer()
  await producer.connect()
  const [record] = await producer.send({
    topic: orders,
    messages: [{ key: '4711', value: '{"item":"book"}' }],
  })
  console.log(record?.topicName === orders, record?.baseOffset)

  const shipping = await consumer(kafka, orders)
  await new Promise((resolve, reject) => {
    shipping
      .run({
        eachMessage: async ({ message: { key, value } }) => {
          await producer.send({ topic: parcels, messages: [{ key, value }] })
          resolve(undefined)
        },
      })
      .catch(reject)
  })
  await shipping.disconnect()

  await producer.sendBatch({
    topicMessages: [{ topic: audits, messages: [{ value: 'first' }, { value: 'second' }] }],
  })
  await producer.disconnect()
  const auditing = await consumer(kafka, audits)
  await new Promise((resolve, reject) => {
    auditing
      .run({
        eachBatch: async ({ batch: { messages } }) => {
          console.log(messages.map(({ value }) => String(value)).join(' '))
          resolve(undefined)
        },
      })
      .catch(reject)
  })
  await auditing.disconnect()
}

/**
 * @param {import('../../support/confluent-kafka.ts').Kafka} kafka
 * @param {string} topic
 */
async function consumer(kafka, topic) {
  const made = kafka.consumer({
    kafkaJS: { groupId: `${topic}-group`, fromBeginning: true, maxWaitTimeInMs: 200 },
    'js.consumer.max.batch.size': -1,
  })
  await made.connect()
  await made.subscribe({ topics: [topic] })
  return made
}
