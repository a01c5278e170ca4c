import assert from 'node:assert/strict'
import {
  type ConsumeOptions,
  createBroker,
  type EventHandler,
  type EventInput,
  type Message,
  type PublishTelemetry,
} from '@throughline/core'
import { eventually, type MemoryTransport } from '@throughline/testkit'

/** What is published where a test gives nothing else. */
export const reading: EventInput = {
  id: '6f1c',
  type: 'com.example.sensor.reading',
  source: '/stations/1',
  subject: 'sensor-001',
  data: { celsius: 21.5 },
}
const EVENT_ATTRIBUTES = {
  'cloudevents.event_id': '6f1c',
  'cloudevents.event_source': '/stations/1',
  'cloudevents.event_spec_version': '1.0',
  'cloudevents.event_subject': 'sensor-001',
  'cloudevents.event_type': 'com.example.sensor.reading',
}
/** What differs from run to run. */
export const OMIT = { omit: ['throughline.sent_at', 'memory.offset'] }

/** Attributes of the process span of `reading`. */
export const process = (attributes: object = {}) => ({
  ...EVENT_ATTRIBUTES,
  'messaging.consumer.group.name': 'default',
  'messaging.destination.name': 'readings',
  'messaging.message.id': '6f1c',
  'messaging.operation.name': 'process',
  'messaging.operation.type': 'process',
  'messaging.system': 'memory',
  'throughline.outcome': 'accept',
  'throughline.sent_at_source': 'header',
  ...attributes,
})
/** Attributes of the send span of `reading`. */
export const send = (destination = 'readings', attributes: object = {}) => ({
  ...EVENT_ATTRIBUTES,
  'messaging.destination.name': destination,
  'messaging.message.id': '6f1c',
  'messaging.operation.name': 'send',
  'messaging.operation.type': 'send',
  'messaging.system': 'memory',
  ...attributes,
})

/** One publisher and one subscription on `readings`; resolves when everything is settled. */
export async function run(
  transport: MemoryTransport,
  publish: PublishTelemetry & { input?: EventInput; message?: Message },
  consume: ConsumeOptions,
  handler: EventHandler = () => undefined,
): Promise<void> {
  const { input = reading, message, ...telemetry } = publish
  await using broker = createBroker(transport)
  const publisher = broker.publisher({ destination: 'readings', ...telemetry })
  if (message === undefined) await publisher.publish(input)
  else await transport.publisher({ destination: 'readings' }).publish([message])
  await broker.subscribe({ destinations: ['readings'], ...consume }, handler)
  await eventually(() => assert.equal(transport.unsettled(), 0))
}

/** What the handlers of one test published, over a second destination. */
export const sent = (transport: MemoryTransport, destination = 'readings') => transport.messages(destination)
