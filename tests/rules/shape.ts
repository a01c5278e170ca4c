import type { Attributes } from '@opentelemetry/api'
import type { SpanNode, SpanRecorder } from '@throughline/testkit'

/** What only one transport has, or what differs by run; each package's own tests assert it. */
const OF_TRANSPORT = [
  'server.address',
  'server.port',
  'client.address',
  'url.full',
  'user_agent.original',
  'http.request.method',
  'http.response.status_code',
  'messaging.system',
  'messaging.client.id',
  'messaging.consumer.group.name',
  'messaging.destination.partition.id',
  'messaging.kafka.offset',
  'messaging.kafka.message.tombstone',
  'messaging.mqtt.qos',
  'messaging.mqtt.retain',
  'messaging.mqtt.packet_id',
  'messaging.rabbitmq.destination.routing_key',
  'messaging.rabbitmq.message.delivery_tag',
  'mqtt.missing_context',
  'throughline.sent_at',
  'throughline.sent_at_source',
]

/**
 * The spans of a run as a tree that is the same for every transport: what they call a destination is given its plain
 * name, `publish` reads `send`, and what only one transport has is left out.
 *
 * @param names plain names, each with what the spans have for it.
 */
export function shape(
  spans: SpanRecorder,
  names: Readonly<Record<string, readonly string[]>>,
): readonly SpanNode[] {
  let text = JSON.stringify(spans.tree({ omit: OF_TRANSPORT }))
  // The longest first: one may be the beginning of another.
  const pairs = Object.entries(names).flatMap(([plain, seen]) => seen.map((name) => [name, plain] as const))
  for (const [name, plain] of pairs.toSorted(([a], [b]) => b.length - a.length))
    text = text.replaceAll(JSON.stringify(name).slice(1, -1), plain)
  return JSON.parse(text.replaceAll('"publish ', '"send ').replaceAll('name":"publish"', 'name":"send"'))
}

/** Attributes of an event that has only what it must have. */
export const eventAttributes = (id: string) => ({
  'messaging.message.id': id,
  'cloudevents.event_id': id,
  'cloudevents.event_source': '/s',
  'cloudevents.event_type': 't',
  'cloudevents.event_spec_version': '1.0',
})

export const event = (id: string) => ({ id, source: '/s', type: 't' })

type Parts = Partial<Omit<SpanNode, 'name' | 'kind'>>

function span(name: string, kind: SpanNode['kind'], attributes: Attributes, parts: Parts): SpanNode {
  const { trace = 1, parent = null, ...rest } = parts
  return { name, kind, trace, parent, ...rest, attributes: { ...attributes, ...parts.attributes } }
}

const operation = (name: string, type: string, destination: string) => ({
  'messaging.operation.name': name,
  'messaging.operation.type': type,
  'messaging.destination.name': destination,
})

/** The PRODUCER span of one event. */
export const sent = (id: string, destination: string, parts: Parts = {}) =>
  span(
    `send ${destination}`,
    'PRODUCER',
    { ...operation('send', 'send', destination), ...eventAttributes(id) },
    parts,
  )

/** The PRODUCER span in which one event of several is made. */
export const created = (id: string, destination: string, parts: Parts = {}) =>
  span(
    `create ${destination}`,
    'PRODUCER',
    { ...operation('create', 'create', destination), ...eventAttributes(id) },
    parts,
  )

/** The CONSUMER span of one attempt at one event. */
export const processed = (id: string, destination: string, parts: Parts = {}) =>
  span(
    `process ${destination}`,
    'CONSUMER',
    {
      ...operation('process', 'process', destination),
      ...eventAttributes(id),
      'throughline.outcome': 'accept',
    },
    parts,
  )

/** A span of several messages: `send`, `process`, or a `receive` part of a batch. */
export const several = (
  name: 'send' | 'process' | 'receive',
  count: number,
  destination: string,
  parts: Parts = {},
) =>
  span(
    `${name} ${destination}`,
    name === 'process' ? 'CONSUMER' : 'CLIENT',
    {
      ...operation(name, name, destination),
      'messaging.batch.message_count': count,
      ...(name === 'process' ? { 'throughline.outcome': 'accept' } : {}),
    },
    parts,
  )
