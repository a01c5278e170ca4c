import type { Broker, ConsumeOptions } from '@throughline/core'
import { type KafkaPublisherOptions, type KafkaSubscriberOptions, kafka } from '@throughline/kafka'
import { onProblem, serviceName } from './service.ts'

/** Kafka's topic in which orders are. */
export const ORDERS = 'orders'

export const ordersBroker = () =>
  kafka({ brokers: process.env.KAFKA_BROKERS ?? '127.0.0.1:9092', clientId: serviceName })

/** The orders as a consumer group of this service's name reads them; what cannot be handled goes to `orders.dead`. */
export function ordersFor(
  broker: Broker<KafkaPublisherOptions, KafkaSubscriberOptions>,
): KafkaSubscriberOptions & ConsumeOptions {
  return {
    topics: [ORDERS],
    group: serviceName,
    retry: { attempts: 5, minMs: 100 },
    deadLetter: { publisher: broker.publisher({ topic: `${ORDERS}.dead` }) },
    onProblem,
  }
}
