const CLIENT = { 'messaging.system': 'kafka', 'server.address': '127.0.0.1', 'messaging.client.id': 'shop' }

function operation(name: string, topic: string, type = name) {
  return {
    ...CLIENT,
    'messaging.operation.name': name,
    'messaging.operation.type': type,
    'messaging.destination.name': topic,
  }
}

const place = { 'messaging.destination.partition.id': '0', 'messaging.kafka.offset': 0 }

/** The spans of what test/apps/kafkajs does, and of the same with a client that mirrors kafkajs. */
export function shopTree(prefix: string) {
  const [orders, parcels, audits] = [`${prefix}-orders`, `${prefix}-parcels`, `${prefix}-audits`]
  const create = (trace: number) => ({
    name: `create ${audits}`,
    kind: 'PRODUCER',
    trace,
    parent: null,
    attributes: operation('create', audits),
  })
  const audit = (offset: number) => ({
    'messaging.destination.partition.id': '0',
    'messaging.kafka.offset': offset,
    'throughline.sent_at_source': 'broker',
  })
  return [
    {
      name: `send ${orders}`,
      kind: 'PRODUCER',
      trace: 1,
      parent: null,
      attributes: { ...operation('send', orders), ...place, 'messaging.kafka.message.key': '4711' },
      children: [
        {
          name: `process ${orders}`,
          kind: 'CONSUMER',
          trace: 1,
          parent: `send ${orders}`,
          links: [{ to: `send ${orders}` }],
          attributes: {
            ...operation('process', orders),
            ...place,
            'messaging.kafka.message.key': '4711',
            'messaging.consumer.group.name': `${orders}-group`,
            'throughline.sent_at_source': 'broker',
            'throughline.outcome': 'accept',
          },
          children: [
            {
              name: `send ${parcels}`,
              kind: 'PRODUCER',
              trace: 1,
              parent: `process ${orders}`,
              attributes: { ...operation('send', parcels), ...place, 'messaging.kafka.message.key': '4711' },
            },
          ],
        },
      ],
    },
    {
      name: `send ${audits}`,
      kind: 'CLIENT',
      trace: 2,
      parent: null,
      links: [{ to: `create ${audits}` }, { to: `create ${audits}#2` }],
      attributes: { ...operation('send', audits), 'messaging.batch.message_count': 2 },
    },
    create(3),
    create(4),
    {
      name: `process ${audits}`,
      kind: 'CONSUMER',
      trace: 5,
      parent: null,
      links: [
        { to: `create ${audits}`, attributes: audit(0) },
        { to: `create ${audits}#2`, attributes: audit(1) },
      ],
      attributes: {
        ...operation('process', audits),
        'messaging.consumer.group.name': `${audits}-group`,
        'messaging.batch.message_count': 2,
        'throughline.outcome': 'accept',
      },
    },
  ]
}
