import { randomUUID } from 'node:crypto'
import type { Transport } from '@throughline/core'
import {
  type RabbitmqPublisherOptions,
  type RabbitmqSubscriberOptions,
  rabbitmqTransport,
} from '@throughline/rabbitmq'
import { defined } from '../defined.ts'
import type { Credentials } from './credentials.ts'
import type { Destination, Source, SourceOptions } from './destination.ts'
import { createOutlet } from './outlet.ts'
import { made, usage } from './problem.ts'
import { streamOnly, withoutQueue } from './readonly.ts'
import { type DestinationUrl, optionsOf } from './url.ts'

/** What a URL names: one of an exchange, a queue, a stream. */
interface Place {
  readonly kind: 'exchange' | 'queue' | 'stream'
  readonly name: string
  /** Of an exchange. */
  readonly routingKey: string | undefined
}

type Rabbitmq = Transport<RabbitmqPublisherOptions, RabbitmqSubscriberOptions>

/** Of a queue of our own: a terminal that has stopped reading must not fill the broker. */
const MAX_WAITING = 100_000

/** `amqp://host/vhost?exchange=orders&routingKey=order.created`, `?queue=orders` or `?stream=orders`; `amqps:` is TLS. */
export function rabbitmqDestination(url: DestinationUrl, { user, password }: Credentials): Destination {
  const { authority, scheme, text, query } = url
  if (authority === '') throw usage(`${text} names no broker: expected ${scheme}://host/?exchange=orders`)
  const place = placeOf(url)
  const transport = made(() => rabbitmqTransport({ url: text, ...defined({ username: user, password }) }))
  const shown = `${text}?${query}`
  return {
    text: shown,
    takes: new Set(place.kind === 'stream' ? (['from'] as const) : []),
    outlet: ({ timeoutMs }) => made(() => createOutlet(transport, { ...routeOf(place), timeoutMs })),
    source({ from }) {
      if (place.kind === 'stream') return streamSource(transport, place, from, `reading ${shown}`)
      if (place.kind === 'exchange')
        return exchangeSource(transport, place, `reading ${shown} by a queue of its own`)
      throw usage(
        `a queue gives each message to one consumer, who would miss what is shown here: tail the exchange that its messages come from, ${text}?exchange=…&routingKey=…, or ?stream=${place.name} where it is a stream`,
      )
    },
  }
}

function placeOf(url: DestinationUrl): Place {
  const { exchange, queue, stream, routingKey } = Object.fromEntries(
    optionsOf(url, ['exchange', 'routingKey', 'queue', 'stream']),
  )
  const named = Object.entries({ exchange, queue, stream }).filter(
    ([, name]) => name !== undefined && name !== '',
  )
  const [kind, name] = named[0] ?? []
  if (named.length !== 1 || !isKind(kind) || name === undefined) {
    const expected = `${url.text}?exchange=orders&routingKey=order.created`
    throw usage(`${url.text} is to name one of exchange, queue or stream: expected ${expected}`)
  }
  if (routingKey !== undefined && kind !== 'exchange') throw usage('a routingKey goes with an exchange alone')
  return { kind, name, routingKey }
}

function isKind(text: string | undefined): text is Place['kind'] {
  return text === 'exchange' || text === 'queue' || text === 'stream'
}

/** The default exchange takes the routing key for a queue's name. */
function routeOf({ kind, name, routingKey = '' }: Place) {
  return kind === 'exchange' ? { exchange: name, routingKey } : { exchange: '', routingKey: name }
}

/** Bound beside the queues of others, of this connection alone, and gone with it. */
function exchangeSource(
  transport: Rabbitmq,
  { name: exchange, routingKey = '#' }: Place,
  doing: string,
): Source {
  const queue = `throughline-tail-${randomUUID()}`
  const limits = { 'x-max-length': MAX_WAITING }
  const declare = {
    queues: [{ name: queue, durable: false, exclusive: true, autoDelete: true, arguments: limits }],
    bindings: [{ exchange, queue, routingKey }],
  }
  const subscriber = made(() => transport.subscriber({ queue, declare }))
  return { ...transport, subscriber: withoutQueue(subscriber, queue), doing }
}

function streamSource(
  transport: Rabbitmq,
  { name: queue }: Place,
  from: SourceOptions['from'],
  doing: string,
): Source {
  const offset = from instanceof Date ? from : from === 'earliest' ? 'first' : 'next'
  const subscriber = made(() => transport.subscriber({ queue, offset }))
  return { ...transport, subscriber: streamOnly(subscriber, queue), doing }
}
