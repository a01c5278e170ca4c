type Attributes = Readonly<Record<string, string | number | boolean>>

/** A span to be sent to an explorer, in few words. Times in milliseconds after the batch's first moment. */
export interface Sent {
  readonly service: string
  readonly trace: string
  readonly id: string
  readonly parent?: string
  readonly name: string
  readonly kind?: keyof typeof KINDS
  readonly atMs?: number
  readonly ms?: number
  readonly attributes?: Attributes
  readonly links?: readonly (readonly [trace: string, id: string, attributes?: Attributes])[]
  readonly error?: string
}

const KINDS = { INTERNAL: 1, SERVER: 2, CLIENT: 3, PRODUCER: 4, CONSUMER: 5 } as const

const traceId = (short: string): string => short.padStart(32, '0')
const spanId = (short: string): string => short.padStart(16, '0')

function keyValues(attributes: Attributes) {
  return Object.entries(attributes).map(([key, value]) => ({
    key,
    value:
      typeof value === 'string'
        ? { stringValue: value }
        : typeof value === 'boolean'
          ? { boolValue: value }
          : { intValue: String(value) },
  }))
}

/** Sends spans by OTLP/HTTP JSON, with a token where one is asked for; fails when the explorer does not take them all. */
export async function sendSpans(
  otlpUrl: string,
  spans: readonly Sent[],
  startUnixMs: number,
  token?: string,
): Promise<void> {
  const nanos = (ms: number): string =>
    String(BigInt(Math.round(ms * 1e6)) + BigInt(startUnixMs) * 1_000_000n)
  const byService = Map.groupBy(spans, (span) => span.service)
  const resourceSpans = [...byService].map(([service, own]) => ({
    resource: { attributes: keyValues({ 'service.name': service }) },
    scopeSpans: [
      {
        scope: { name: 'test', version: '1' },
        spans: own.map((span) => ({
          traceId: traceId(span.trace),
          spanId: spanId(span.id),
          parentSpanId: span.parent === undefined ? '' : spanId(span.parent),
          name: span.name,
          kind: KINDS[span.kind ?? 'INTERNAL'],
          startTimeUnixNano: nanos(span.atMs ?? 0),
          endTimeUnixNano: nanos((span.atMs ?? 0) + (span.ms ?? 1)),
          attributes: keyValues(span.attributes ?? {}),
          links: (span.links ?? []).map(([trace, id, attributes = {}]) => ({
            traceId: traceId(trace),
            spanId: spanId(id),
            flags: 257,
            attributes: keyValues(attributes),
          })),
          ...(span.error === undefined ? {} : { status: { code: 2, message: span.error } }),
        })),
      },
    ],
  }))
  const response = await fetch(`${otlpUrl}/v1/traces`, {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
    },
    body: JSON.stringify({ resourceSpans }),
  })
  const answer = await response.text()
  if (!response.ok || answer.includes('rejectedSpans')) throw new Error(`OTLP: ${response.status} ${answer}`)
}

function messaging(system: string, type: 'send' | 'process', destination: string) {
  return {
    'messaging.system': system,
    'messaging.operation.type': type,
    'messaging.operation.name': type,
    'messaging.destination.name': destination,
  }
}

/** One reading on its way: station → HTTP → webhook → Kafka → forwarder → MQTT → device. */
export function reading(trace: string, eventId: string, subject: string): readonly Sent[] {
  const event = {
    'cloudevents.event_id': eventId,
    'cloudevents.event_source': '/sensors/temperature',
    'cloudevents.event_type': 'com.example.sensor.reading',
    'cloudevents.event_subject': subject,
  }
  const topic = `sensors/${subject}/reading`
  const kafka = { 'messaging.destination.partition.id': '2', 'messaging.kafka.offset': 17 }
  return [
    {
      service: 'station',
      trace,
      id: '1',
      name: 'send /events',
      kind: 'PRODUCER',
      atMs: 0,
      ms: 2.1,
      attributes: { ...messaging('http', 'send', '/events'), ...event },
    },
    {
      service: 'webhook',
      trace,
      id: '2',
      parent: '1',
      name: 'process /events',
      kind: 'CONSUMER',
      atMs: 0.3,
      ms: 1.7,
      attributes: { ...messaging('http', 'process', '/events'), ...event },
    },
    {
      service: 'webhook',
      trace,
      id: '3',
      parent: '2',
      name: 'send sensor-readings',
      kind: 'PRODUCER',
      atMs: 0.5,
      ms: 1.2,
      attributes: { ...messaging('kafka', 'send', 'sensor-readings'), ...kafka, ...event },
    },
    {
      service: 'forwarder',
      trace,
      id: '4',
      parent: '3',
      name: 'process sensor-readings',
      kind: 'CONSUMER',
      atMs: 3.9,
      ms: 2.6,
      attributes: { ...messaging('kafka', 'process', 'sensor-readings'), ...kafka, ...event },
      links: [[trace, '3']],
    },
    {
      service: 'forwarder',
      trace,
      id: '5',
      parent: '4',
      name: `publish ${topic}`,
      kind: 'PRODUCER',
      atMs: 4.1,
      ms: 2,
      attributes: { ...messaging('mqtt', 'send', topic), 'messaging.mqtt.qos': 1, ...event },
    },
    {
      service: 'device',
      trace,
      id: '6',
      parent: '5',
      name: `process ${topic}`,
      kind: 'CONSUMER',
      atMs: 5.3,
      ms: 3,
      attributes: { ...messaging('mqtt', 'process', topic), ...event },
      links: [[trace, '5']],
    },
  ]
}

/** The same reading, whose device calls an echo service and whose context of creation is linked to at each receipt. */
export function echoed(trace: string, eventId: string, subject: string): readonly Sent[] {
  const linked = reading(trace, eventId, subject).map((sent) =>
    sent.id === '4' || sent.id === '6'
      ? { ...sent, links: [...(sent.links ?? []), [trace, '1', { origin: true }] as const] }
      : sent,
  )
  // An SDK that starts its spans at whole milliseconds: before the process that they are part of.
  const call = { trace, name: 'POST', atMs: 5 } as const
  const url = 'http://127.0.0.1:4001/echo'
  return [
    ...linked,
    {
      ...call,
      service: 'device',
      id: '7',
      parent: '6',
      kind: 'CLIENT',
      ms: 3,
      attributes: { 'url.full': url },
    },
    {
      ...call,
      service: 'echo',
      id: '8',
      parent: '7',
      kind: 'SERVER',
      ms: 1.1,
      attributes: { 'url.path': '/echo' },
    },
  ]
}

/** A message without context: its publisher is not known. */
export function orphan(trace: string): readonly Sent[] {
  return [
    {
      service: 'device',
      trace,
      id: '1',
      name: 'process depot/7/picked',
      kind: 'CONSUMER',
      ms: 4,
      attributes: { ...messaging('mqtt', 'process', 'depot/7/picked'), 'mqtt.missing_context': true },
    },
  ]
}

/** An order that waits two hours for a consumer whose first attempt fails. */
export function slowOrder(trace: string): readonly Sent[] {
  const waitMs = 2 * 3_600_000 + 13 * 60_000
  const process = {
    service: 'shipping',
    trace,
    parent: '2',
    name: 'process payments:done',
    kind: 'CONSUMER',
  } as const
  const attributes = messaging('rabbitmq', 'process', 'payments:done')
  return [
    { service: 'payment', trace, id: '1', name: 'POST /pay', kind: 'SERVER', ms: 20 },
    {
      service: 'payment',
      trace,
      id: '2',
      parent: '1',
      name: 'publish payments:done',
      kind: 'PRODUCER',
      atMs: 14,
      ms: 4,
      attributes: messaging('rabbitmq', 'send', 'payments:done'),
    },
    {
      ...process,
      id: '3',
      atMs: waitMs,
      ms: 12,
      error: '503 from carrier',
      attributes: { ...attributes, 'throughline.attempt': 1 },
    },
    {
      ...process,
      id: '4',
      atMs: waitMs + 20,
      ms: 9,
      attributes: { ...attributes, 'throughline.attempt': 2 },
      links: [[trace, '3', { retry: true }]],
    },
  ]
}

/** One trace of `size` spans of six services, side by side and nested. */
export function largeTrace(trace: string, size: number): readonly Sent[] {
  const services = ['gateway', 'orders', 'inventory', 'payment', 'shipping', 'ledger']
  return Array.from({ length: size }, (_, n) => {
    const parent = n === 0 ? {} : { parent: (Math.floor((n - 1) / 4) + 1).toString(16) }
    const failed = n % 97 === 96 ? { error: 'out of stock' } : {}
    return {
      service: services[n % services.length] ?? 'gateway',
      trace,
      id: (n + 1).toString(16),
      name: n % 3 === 0 ? 'SELECT orders' : `step ${n}`,
      atMs: n === 0 ? 0 : (n * 7919) % 4000,
      ms: n === 0 ? 4200 : 2 + ((n * 31) % 60),
      ...parent,
      ...failed,
    }
  })
}
