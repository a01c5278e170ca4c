import { rabbitmq } from '@throughline/rabbitmq'
import { serviceName } from './service.ts'

/** Where RabbitMQ has payments. */
export const PAYMENTS = { exchange: 'payments', routingKey: 'payment.processed' } as const
export const PAYMENTS_EXCHANGE = { name: PAYMENTS.exchange, type: 'topic' } as const

export const paymentsBroker = () =>
  rabbitmq({ url: process.env.AMQP_URL ?? 'amqp://127.0.0.1:5672', connectionName: serviceName })
