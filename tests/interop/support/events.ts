import { type CloudEvent, type ContentMode, createEvent } from '@throughline/core'

// Every event has a time: the Python SDK writes one into those that have none.
const common = {
  source: '/stations/1?floor=2',
  type: 'com.example.reading',
  time: '2026-03-01T12:00:00.123456789Z',
}

/** What is sent in both directions: each kind of data, and attributes of each kind that all sides have. */
export const events: readonly CloudEvent[] = [
  createEvent({
    ...common,
    id: 'json',
    subject: 'Zürich 100 % dry',
    dataschema: 'https://example.com/reading.json#v1',
    datacontenttype: 'application/json',
    region: 'eu-west',
    data: { celsius: -3.25, where: 'Zürich', list: [1, null, 'x'], nested: { ok: true } },
  }),
  createEvent({ ...common, id: 'text', datacontenttype: 'text/plain', data: 'Grüße, "quoted"\nand a line' }),
  createEvent({
    ...common,
    id: 'bytes',
    datacontenttype: 'application/octet-stream',
    data: Uint8Array.from({ length: 256 }, (_, index) => index),
  }),
  createEvent({ ...common, id: 'none', subject: 'nothing' }),
]

/** An integer and a boolean: native in structured mode, text in binary mode. */
export const typed = createEvent({
  ...common,
  id: 'typed',
  datacontenttype: 'application/json',
  count: 7,
  final: true,
  data: {},
})

/** An event as it reads after binary mode, which has text alone for attributes. */
export function afterMode(event: CloudEvent, mode: ContentMode): CloudEvent {
  if (mode === 'structured') return event
  const entries = Object.entries(event).map(([name, value]) => [
    name,
    name !== 'data' && (typeof value === 'number' || typeof value === 'boolean') ? String(value) : value,
  ])
  return createEvent({ ...event, ...Object.fromEntries(entries) })
}

/** For comparing: bytes in base64, whatever kind of buffer they came in. */
export function comparable(event: CloudEvent): Record<string, unknown> {
  const { data } = event
  return data instanceof Uint8Array
    ? { ...event, data: { base64: Buffer.from(data).toString('base64') } }
    : { ...event }
}
