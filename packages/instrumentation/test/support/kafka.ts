import { OMIT } from './kafkajs.ts'

const CLIENT = {
  'messaging.system': 'kafka',
  'server.address': '127.0.0.1',
  'messaging.client.id': 'app',
  'messaging.destination.partition.id': '0',
  'messaging.kafka.offset': 0,
}

/** The spans of the first message of a topic of one partition. */
export function topicSpans(topic: string, group: string) {
  const operation = (name: string) => ({
    'messaging.operation.name': name,
    'messaging.operation.type': name,
    'messaging.destination.name': topic,
  })
  return {
    destination: topic,
    own: [],
    sent: { name: `send ${topic}`, kind: 'PRODUCER', attributes: { ...CLIENT, ...operation('send') } },
    handled: {
      name: `process ${topic}`,
      kind: 'CONSUMER',
      attributes: {
        ...CLIENT,
        ...operation('process'),
        'messaging.consumer.group.name': group,
        'throughline.sent_at_source': 'broker',
        'throughline.outcome': 'accept',
      },
    },
    omit: OMIT,
  } as const
}

/** Headers of which none comes more than once, as texts. */
export function texts(headers: Iterable<readonly [unknown, unknown]>): Record<string, string> {
  return Object.fromEntries(Array.from(headers, ([name, value]) => [String(name), String(value)]))
}
