import { Kafka, logLevel } from 'kafkajs'
import { serviceName } from './service.ts'

/** Kafka's topic in which orders are. */
export const ORDERS = 'plain-orders'
/** Consumer group of the service. */
export const group = `plain-${serviceName}`

export const bootstrapBrokers = (process.env.KAFKA_BROKERS ?? '127.0.0.1:9092').split(',')

export const kafka = new Kafka({
  brokers: bootstrapBrokers,
  clientId: serviceName,
  logLevel: logLevel.ERROR,
})
