import { eventually, recordSpans, type SpanNode } from '@throughline/testkit'

export const url = process.env.AMQP_URL ?? 'amqp://127.0.0.1:5672'
const { hostname, port } = new URL(url)

/** What every span has. */
export const FIXED = {
  'messaging.system': 'rabbitmq',
  'server.address': hostname,
  'server.port': Number(port),
}
export const PUBLISH = {
  ...FIXED,
  'messaging.operation.name': 'publish',
  'messaging.operation.type': 'send',
}
export const PROCESS = {
  ...FIXED,
  'messaging.operation.name': 'process',
  'messaging.operation.type': 'process',
}
/** Differs by run. */
export const OMIT = ['throughline.sent_at', 'throughline.sent_at_source', 'exception.stacktrace']

/** The spans of a message that is sent to a queue and acknowledged by its handler, but for where they hang. */
export function queueSpans(queue: string, more: SpanNode['attributes'] = {}) {
  const place = {
    'messaging.destination.name': queue,
    'messaging.rabbitmq.destination.routing_key': queue,
    ...more,
  }
  return {
    destination: queue,
    own: ['throughline-sent-at'],
    sent: { name: `publish ${queue}`, kind: 'PRODUCER', attributes: { ...PUBLISH, ...place } },
    handled: {
      name: `process ${queue}`,
      kind: 'CONSUMER',
      attributes: {
        ...PROCESS,
        ...place,
        'messaging.rabbitmq.message.delivery_tag': 1,
        'throughline.outcome': 'accept',
      },
    },
    omit: OMIT,
  } as const
}

/** Their tree: the handler's span is the child of what sent the message, and linked to it. */
export function queueTree(queue: string, more?: SpanNode['attributes']): readonly SpanNode[] {
  const { sent, handled } = queueSpans(queue, more)
  const child = { ...handled, trace: 1, parent: sent.name, links: [{ to: sent.name }] }
  return [{ ...sent, trace: 1, parent: null, children: [child] }]
}

/** A publish span of a mandatory message that came back: no queue is bound to its route. */
export function returnedSpan(route: { exchange: string; routingKey: string }): SpanNode {
  const destination = `${route.exchange}:${route.routingKey}`
  const message = 'the broker returned the message, which no queue takes: NO_ROUTE'
  return {
    name: `publish ${destination}`,
    kind: 'PRODUCER',
    trace: 1,
    parent: null,
    attributes: {
      ...PUBLISH,
      'messaging.destination.name': destination,
      'messaging.rabbitmq.destination.routing_key': route.routingKey,
      'error.type': 'NO_ROUTE',
    },
    status: { code: 'ERROR', message },
    events: [
      {
        name: 'exception',
        attributes: { 'exception.type': 'NO_ROUTE', 'exception.message': message },
      },
    ],
  }
}

/** Waits for as many spans of the name to have ended. */
export async function ended(name: string, count = 1): Promise<void> {
  await eventually(() => {
    const found = recordSpans().named(name).length
    if (found !== count) throw new Error(`${found} spans ${name} have ended, ${count} were to`)
  })
}
