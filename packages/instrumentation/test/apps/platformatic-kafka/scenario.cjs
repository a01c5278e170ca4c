const { once } = require('node:events')

const { KAFKA_BROKERS = '', TOPIC = '', GROUP = '' } = process.env
const client = { clientId: 'orders', bootstrapBrokers: KAFKA_BROKERS.split(',') }

/**
 * Sends three orders: one alone and two in one call; a listener handles the first, a loop the others.
 *
 * @param {Pick<typeof import('@platformatic/kafka'), 'Admin' | 'Producer' | 'Consumer' | 'stringSerializers' | 'stringDeserializers'>} kafka
 */
exports.run = async ({ Admin, Producer, Consumer, stringSerializers, stringDeserializers }) => {
  const admin = new Admin(client)
  await admin.createTopics({ topics: [TOPIC] })
  await admin.metadata({ topics: [TOPIC], forceUpdate: true })
  await admin.close()

  const producer = new Producer({ ...client, serializers: stringSerializers })
  await producer.send({ messages: [{ topic: TOPIC, key: 'a', value: 'one', headers: { tenant: 'a' } }] })

  const consumer = new Consumer({ ...client, groupId: GROUP, deserializers: stringDeserializers })
  const options = { topics: [TOPIC], autocommit: false, maxWaitTime: 100 }
  const listened = await consumer.consume({ ...options, mode: 'earliest' })
  listened.on('data', async (message) => {
    console.log(message.value)
    await message.commit()
    await listened.close()
  })
  await once(listened, 'close')

  await producer.send({
    messages: [
      { topic: TOPIC, value: 'two' },
      { topic: TOPIC, value: 'three', headers: new Map([['tenant', 'b']]) },
    ],
  })
  for await (const message of await consumer.consume({ ...options, mode: 'committed' })) {
    console.log(message.value)
    await message.commit()
    if (message.value === 'three') break
  }
  await consumer.close(true)
  await producer.close()
}
