/** Where RabbitMQ has payments. */
export const EXCHANGE = 'plain-payments'
export const ROUTING_KEY = 'payment.processed'

/** rabbitmq-client takes an address without a user for one whose user has no name. */
export function rabbitUrl(): string {
  const url = new URL(process.env.AMQP_URL ?? 'amqp://127.0.0.1:5672')
  if (url.username === '') Object.assign(url, { username: 'guest', password: 'guest' })
  return url.href
}
