import type { SpanRole } from '../api/schema.ts'
import type { Span } from '../otlp/span.ts'
import type { AttributeMap } from '../otlp/value.ts'
import { text } from './semantics.ts'

const messageRoles: ReadonlySet<SpanRole> = new Set(['create', 'send', 'receive', 'process'])

/**
 * Topic, queue, `exchange:routing key` or path, in one spelling: amqplib leaves the default exchange empty,
 * older Java agents write `<default>`, aio-pika `exchange,key`.
 */
export function destinationOf(
  span: Span,
  system: string | null,
  role: SpanRole,
): { destination: string | null; template: string | null } {
  const { attributes } = span
  const template = text(attributes, 'messaging.destination.template') ?? null
  const routingKey = text(
    attributes,
    'messaging.rabbitmq.destination.routing_key',
    'messaging.rabbitmq.routing_key',
  )
  const named = text(
    attributes,
    'messaging.destination.name',
    'messaging.destination',
    'messaging.source.name',
    'messaging.source',
  )
  if (named !== undefined && named !== '<default>')
    return { destination: system === 'rabbitmq' ? rabbitName(named, routingKey, role) : named, template }
  if (system === 'rabbitmq' && messageRoles.has(role)) {
    // A queue of the default exchange is its own routing key; its consumers say it only in the span's name.
    const queue =
      routingKey ??
      span.name.split(' ').find((word) => !/^(publish|process|receive|send|<default>)$/.test(word))
    return { destination: queue ?? null, template }
  }
  const path = text(attributes, 'url.path', 'http.target', 'http.route')?.split('?')[0]
  if (path !== undefined) return { destination: path, template: text(attributes, 'http.route') ?? template }
  const full = text(attributes, 'url.full', 'http.url')
  return { destination: full !== undefined && URL.canParse(full) ? new URL(full).pathname : null, template }
}

function rabbitName(named: string, routingKey: string | undefined, role: SpanRole): string {
  if (named.includes(',')) return named.replace(/^,/, '').replace(',', ':')
  const addsKey = role === 'send' && routingKey !== undefined && routingKey !== named && !named.includes(':')
  return addsKey ? `${named}:${routingKey}` : named
}

/** Partition and offset as text; some Kafka instrumentations say the offset only inside the message id. */
export function positionOf(
  attributes: AttributeMap,
  system: string | null,
): { partition: string | null; offset: string | null } {
  const partition = text(
    attributes,
    'messaging.destination.partition.id',
    'messaging.kafka.destination.partition',
    'messaging.kafka.source.partition',
    'messaging.kafka.partition',
  )
  const offset =
    text(attributes, 'messaging.kafka.offset', 'messaging.kafka.message.offset') ??
    (system === 'kafka'
      ? /^(?:.+\.\d+\.)?(\d+)$/.exec(text(attributes, 'messaging.message.id') ?? '')?.[1]
      : undefined)
  return { partition: partition ?? null, offset: partition === undefined ? null : (offset ?? null) }
}
