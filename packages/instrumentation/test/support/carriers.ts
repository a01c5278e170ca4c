import type { Carrier } from './carrier.ts'
import { amqplib } from './carriers/amqplib.ts'
import { mqtt } from './carriers/mqtt.ts'
import { rabbitmqClient } from './carriers/rabbitmq-client.ts'

/** Every client, for tests of what holds whichever it is. */
export const carriers: readonly Carrier[] = [mqtt, amqplib, rabbitmqClient]
