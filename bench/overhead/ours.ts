import {
  type Broker,
  type CloudEvent,
  type ConsumeOptions,
  createBroker,
  type PublishTelemetry,
} from '@throughline/core'
import { http } from '@throughline/http'
import { kafka } from '@throughline/kafka'
import { mqtt } from '@throughline/mqtt'
import { rabbitmq } from '@throughline/rabbitmq'
import { CONTENT_TYPE, type Connect, idOf, SOURCE, subjectOf, TYPE } from './link.ts'
import { loopback } from './loopback.ts'

/** The library over each transport, as a user holds it: an event a call, a handler that returns at once. */
export const ours: Readonly<Record<string, Connect>> = {
  loopback: (_place, onMessage) => connect(createBroker(loopback()), {}, () => ({}), onMessage),
  async http({ name }, onMessage) {
    const broker = http({ listen: '127.0.0.1:0' })
    const url = () => `http://127.0.0.1:${broker.address()?.port}/${name}`
    return connect(broker, { path: `/${name}` }, () => ({ url: url() }), onMessage)
  },
  kafka: ({ kafkaBrokers, name }, onMessage) =>
    connect(
      kafka({ brokers: kafkaBrokers }),
      { topics: [name], group: name },
      () => ({ topic: name }),
      onMessage,
    ),
  mqtt: ({ mqttUrl, name }, onMessage) =>
    connect(mqtt({ url: mqttUrl, clientId: name }), { topics: [name] }, () => ({ topic: name }), onMessage),
  rabbitmq: ({ amqpUrl, name }, onMessage) =>
    connect(
      rabbitmq({ url: amqpUrl }),
      { queue: name, declare: { queues: [{ name }] } },
      () => ({ routingKey: name }),
      onMessage,
    ),
}

async function connect<P, S>(
  broker: Broker<P, S>,
  subscription: S & ConsumeOptions & { readonly raw?: false },
  publication: () => P & PublishTelemetry,
  onMessage: (id: string) => void,
) {
  await broker.subscribe(subscription, (event: CloudEvent) => onMessage(event.id))
  const publisher = broker.publisher(publication())
  return {
    publish: (numbers: readonly number[], data: Uint8Array) =>
      Promise.all(
        numbers.map((number) =>
          publisher.publish({
            id: idOf(number),
            source: SOURCE,
            type: TYPE,
            subject: subjectOf(number),
            datacontenttype: CONTENT_TYPE,
            data,
          }),
        ),
      ),
    close: () => broker.close(),
  }
}
