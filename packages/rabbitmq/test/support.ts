import { randomBytes } from 'node:crypto'
import type { TestContext } from 'node:test'
import type { Delivery, Message, PublishResult, Settlement, Subscriber } from '@throughline/core'
import { type TcpProxy, tcpProxy } from '@throughline/testkit'
import { Connection } from 'rabbitmq-client'
import type { RabbitmqOptions } from '../src/options.ts'
import type { RabbitmqPublisherOptions } from '../src/publisher.ts'
import type { RabbitmqSubscriberOptions } from '../src/subscriber.ts'
import type { QueueDeclaration, Topology } from '../src/topology.ts'
import { rabbitmqTransport } from '../src/transport.ts'

export const ACCEPT = { outcome: 'accept' } as const
export const REJECT: Settlement = { outcome: 'reject', reason: new Error('no'), deadLettered: false }

/** Address of the broker that tests are given. */
export function amqpUrl(): string {
  const url = process.env.AMQP_URL
  if (!url)
    throw new Error(
      'AMQP_URL is not set; for one of your own: eval "$(npm run --silent brokers -- start rabbitmq)"',
    )
  return url
}

/** A name that no other test, and no earlier run, has used. */
export function unique(name: string): string {
  return `${name}-${randomBytes(6).toString('hex')}`
}

/** What declares a queue of a test's own. */
export function queueOf(queue: Omit<QueueDeclaration, 'name'> = {}, name = unique('queue')) {
  return { queue: name, declare: { queues: [{ name, ...queue }] } satisfies Topology }
}

/** A publisher that the test's end closes. */
export function publisherOf(
  t: TestContext,
  options: RabbitmqPublisherOptions,
  to: Partial<RabbitmqOptions> = {},
) {
  const publisher = rabbitmqTransport({ url: amqpUrl(), ...to }).publisher(options)
  t.after(() => publisher.close())
  return publisher
}

/** A subscriber that the test's end closes. */
export function subscriberOf(
  t: TestContext,
  options: RabbitmqSubscriberOptions,
  to: Partial<RabbitmqOptions> = {},
): Subscriber {
  const subscriber = rabbitmqTransport({ url: amqpUrl(), ...to }).subscriber(options)
  t.after(() => subscriber.close())
  return subscriber
}

/** Between a client and the broker, to break connections on purpose. */
export async function proxied(t: TestContext, url = amqpUrl()): Promise<TcpProxy & { readonly url: string }> {
  const { hostname, port } = new URL(url)
  const proxy = await tcpProxy({ target: `${hostname}:${port || 5672}` })
  t.after(() => proxy.close())
  return Object.assign(proxy, { url: `amqp://${proxy.address}` })
}

/** Somebody else's client. */
export function stranger(t: TestContext): Connection {
  const client = new Connection({ hostname: new URL(amqpUrl()).hostname, port: new URL(amqpUrl()).port })
  t.after(() => client.close())
  return client
}

export function message(body: string | Uint8Array | null, rest: Partial<Message> = {}): Message {
  return { body: typeof body === 'string' ? Buffer.from(body) : body, headers: [], ...rest }
}

export function numbered(count: number, from = 0): Message[] {
  return Array.from({ length: count }, (_, index) => message(String(from + index)))
}

export function textOf({ message: { body } }: Delivery): string {
  return body === null ? '' : Buffer.from(body).toString()
}

/** The errors among the answers to a publish. */
export function failures(results: readonly PublishResult[]) {
  return results.flatMap((result) => (result.ok ? [] : [result.error]))
}

/** The next deliveries, settled as they come unless `settlement` is null. */
export async function take(
  subscriber: Subscriber,
  count: number,
  settlement: Settlement | null = ACCEPT,
): Promise<Delivery[]> {
  const taken: Delivery[] = []
  for await (const deliveries of subscriber.deliveries(AbortSignal.timeout(60_000))) {
    taken.push(...deliveries)
    if (settlement !== null) await subscriber.settle(deliveries, settlement)
    if (taken.length >= count) break
  }
  return taken
}
