import type { Carrier } from './carrier.ts'
import { amqplib } from './carriers/amqplib.ts'
import { confluentKafka } from './carriers/confluent-kafka.ts'
import { kafkajs } from './carriers/kafkajs.ts'
import { mqtt } from './carriers/mqtt.ts'
import { platformaticKafka } from './carriers/platformatic-kafka.ts'
import { rabbitmqClient } from './carriers/rabbitmq-client.ts'
import { isInstalled } from './confluent-kafka.ts'

/** Every client, for tests of what holds whichever it is. One that is not installed is said to be left out by its own tests. */
export const carriers: readonly Carrier[] = [
  kafkajs,
  platformaticKafka,
  ...(isInstalled ? [confluentKafka()] : []),
  mqtt,
  amqplib,
  rabbitmqClient,
]
