import type {
  Finding,
  Journey,
  JourneyEdge,
  JourneyHop,
  JourneySpan,
  SpanRef,
} from '@throughline/explorer/api'

export const TRACE = '4bf92f3577b34da6a3ce929d0e0e4736'

/** A reference to a span by a short name: `a` is `000000000000000a`. */
export function ref(name: string, traceId = TRACE): SpanRef {
  return { traceId, spanId: name.padStart(16, '0') }
}

export type SpanInput = Partial<Omit<JourneySpan, 'spanId' | 'parentSpanId'>> & {
  readonly id: string
  readonly parent?: string | null
  readonly service: string
}

/** A span with everything that does not matter to a test filled in. */
export function span({ id, parent = null, ...rest }: SpanInput): JourneySpan {
  const durationMs = rest.durationMs ?? 1
  return {
    ...ref(id, rest.traceId),
    parentSpanId: parent === null ? null : parent.padStart(16, '0'),
    name: 'process orders',
    kind: 'INTERNAL',
    role: 'internal',
    operation: (rest.name ?? 'process').split(' ')[0] ?? '',
    startMs: 0,
    selfMs: durationMs,
    status: 'UNSET',
    statusMessage: null,
    attempt: null,
    batchSize: null,
    attributes: {},
    resource: { 'service.name': rest.service },
    scope: { name: 'test', version: '1' },
    events: [],
    links: [],
    critical: false,
    ...rest,
    durationMs,
  }
}

/** A message hop with everything that does not matter filled in; ends that are null stay unknown. */
export function hop(input: Partial<JourneyHop> & { readonly index: number }): JourneyHop {
  const { sentMs = null, processedMs = null } = input
  return {
    kind: 'message',
    transport: 'kafka',
    destination: 'orders',
    destinationTemplate: null,
    partition: null,
    offset: null,
    qos: null,
    from: null,
    to: null,
    send: null,
    process: null,
    sentMs,
    confirmedMs: null,
    processedMs,
    queueMs: sentMs !== null && processedMs !== null ? processedMs - sentMs : null,
    queueSource: sentMs !== null && processedMs !== null ? 'spans' : null,
    durationMs: null,
    error: false,
    attempts: 1,
    ...input,
  }
}

/** A finding with everything that does not matter filled in. */
export function finding(input: Partial<Finding> & Pick<Finding, 'code'>): Finding {
  return {
    severity: 'warning',
    title: input.code,
    detail: '',
    fix: null,
    span: null,
    missing: null,
    hop: null,
    ...input,
  }
}

/** A journey of these spans and hops, with the totals and lists that follow from them. */
export function journey(
  spans: readonly JourneySpan[],
  hops: readonly JourneyHop[] = [],
  more: {
    readonly edges?: readonly JourneyEdge[]
    readonly findings?: readonly Finding[]
    readonly event?: Journey['event']
  } = {},
): Journey {
  const ordered = spans.toSorted((a, b) => a.startMs - b.startMs)
  const endMs = Math.max(0, ...ordered.map((one) => one.startMs + one.durationMs))
  return {
    id: more.event?.id ?? TRACE,
    event: more.event ?? null,
    traceIds: [...new Set(ordered.map((one) => one.traceId))],
    startUnixNanos: '1795255200000000000',
    totals: { durationMs: endMs, workMs: endMs, queueMs: 0, waitMs: 0 },
    services: [...new Set(ordered.map((one) => one.service))],
    destinations: [
      ...new Map(
        hops.map((one) => [
          `${one.transport} ${one.destination}`,
          { transport: one.transport, name: one.destination },
        ]),
      ).values(),
    ],
    spans: ordered,
    edges: more.edges ?? [],
    hops,
    findings: more.findings ?? [],
    truncated: null,
  }
}

/** HTTP → Kafka → MQTT → HTTP: eight spans, one trace. */
export function sensorJourney(): Journey {
  const event = {
    id: 'e-1',
    source: '/sensors/temperature',
    type: 'com.example.sensor.reading',
    subject: 'sensor-001',
  }
  const attributes = { 'cloudevents.event_id': 'e-1', 'cloudevents.event_type': event.type }
  const spans = [
    span({
      id: '1',
      service: 'station',
      name: 'send /events',
      role: 'send',
      kind: 'PRODUCER',
      startMs: 0,
      durationMs: 2.1,
      critical: true,
      attributes,
    }),
    span({
      id: '2',
      parent: '1',
      service: 'webhook',
      name: 'process /events',
      role: 'process',
      kind: 'CONSUMER',
      startMs: 0.3,
      durationMs: 1.7,
      critical: true,
      attributes,
    }),
    span({
      id: '3',
      parent: '2',
      service: 'webhook',
      name: 'send sensor-readings',
      role: 'send',
      kind: 'PRODUCER',
      startMs: 0.5,
      durationMs: 1.2,
      critical: true,
      attributes: { ...attributes, 'messaging.kafka.message.key': 'sensor-001' },
    }),
    span({
      id: '4',
      parent: '3',
      service: 'forwarder',
      name: 'process sensor-readings',
      role: 'process',
      kind: 'CONSUMER',
      startMs: 3.9,
      durationMs: 2.6,
      critical: true,
      attributes,
    }),
    span({
      id: '5',
      parent: '4',
      service: 'forwarder',
      name: 'publish sensors/sensor-001/reading',
      role: 'send',
      kind: 'PRODUCER',
      startMs: 4.1,
      durationMs: 2,
      critical: true,
      attributes,
    }),
    span({
      id: '6',
      parent: '5',
      service: 'device',
      name: 'process sensors/sensor-001/reading',
      role: 'process',
      kind: 'CONSUMER',
      startMs: 5.3,
      durationMs: 3,
      critical: true,
      attributes,
    }),
    span({
      id: '7',
      parent: '6',
      service: 'device',
      name: 'POST',
      role: 'client',
      kind: 'CLIENT',
      startMs: 5.6,
      durationMs: 2.2,
      critical: true,
    }),
    span({
      id: '8',
      parent: '7',
      service: 'echo',
      name: 'POST /echo',
      role: 'server',
      kind: 'SERVER',
      startMs: 6,
      durationMs: 1.5,
      critical: true,
      events: [{ name: 'echoed', atMs: 6.5, attributes: { bytes: 42 } }],
    }),
  ]
  const hops = [
    hop({
      index: 0,
      transport: 'http',
      destination: '/events',
      from: 'station',
      to: 'webhook',
      send: ref('1'),
      process: ref('2'),
      sentMs: 0,
      confirmedMs: 2.1,
      processedMs: 0.3,
      durationMs: 2.1,
    }),
    hop({
      index: 1,
      destination: 'sensor-readings',
      partition: '2',
      offset: '17',
      from: 'webhook',
      to: 'forwarder',
      send: ref('3'),
      process: ref('4'),
      sentMs: 0.5,
      confirmedMs: 1.7,
      processedMs: 3.9,
      durationMs: 1.2,
    }),
    hop({
      index: 2,
      transport: 'mqtt',
      destination: 'sensors/sensor-001/reading',
      destinationTemplate: 'sensors/{event.subject}/reading',
      qos: 1,
      from: 'forwarder',
      to: 'device',
      send: ref('5'),
      process: ref('6'),
      sentMs: 4.1,
      confirmedMs: 6.1,
      processedMs: 5.3,
      durationMs: 2,
    }),
    hop({
      index: 3,
      kind: 'call',
      transport: 'http',
      destination: '/echo',
      from: 'device',
      to: 'echo',
      send: ref('7'),
      process: ref('8'),
      sentMs: 5.6,
      processedMs: 6,
      durationMs: 2.2,
    }),
  ]
  const edges: JourneyEdge[] = [
    { kind: 'async-child', from: ref('1'), to: ref('2') },
    { kind: 'child', from: ref('2'), to: ref('3') },
    { kind: 'async-child', from: ref('3'), to: ref('4') },
    { kind: 'child', from: ref('4'), to: ref('5') },
    { kind: 'async-child', from: ref('5'), to: ref('6') },
    { kind: 'child', from: ref('6'), to: ref('7') },
    { kind: 'child', from: ref('7'), to: ref('8') },
  ]
  return {
    ...journey(spans, hops, { edges, event }),
    totals: { durationMs: 8.3, workMs: 6.1, queueMs: 2.2, waitMs: 0 },
  }
}

/** The order of the design's drawing: fan-out, a batch of 500, a long wait, a retry, a dead letter, a break. */
export function orderJourney(): Journey {
  const event = {
    id: '6f1c2e9a-77aa',
    source: '/orders',
    type: 'com.example.order.created',
    subject: 'order-4711',
  }
  const own = { 'cloudevents.event_id': event.id }
  const gap = 251_800
  const at = (ms: number): number => ms + gap
  const spans = [
    span({
      id: '1',
      service: 'order-service',
      name: 'POST /orders',
      role: 'server',
      kind: 'SERVER',
      startMs: 0,
      durationMs: 18,
      critical: true,
    }),
    span({
      id: '2',
      parent: '1',
      service: 'order-service',
      name: 'send orders',
      role: 'send',
      kind: 'PRODUCER',
      startMs: 14,
      durationMs: 4,
      critical: true,
      attributes: own,
    }),
    span({
      id: '3',
      parent: '2',
      service: 'inventory',
      name: 'process orders',
      role: 'process',
      kind: 'CONSUMER',
      startMs: 21,
      durationMs: 13,
      status: 'ERROR',
      statusMessage: 'SKU unknown',
    }),
    span({
      id: '4',
      parent: '2',
      service: 'payment',
      name: 'process orders',
      role: 'process',
      kind: 'CONSUMER',
      startMs: 20,
      durationMs: 23,
      critical: true,
    }),
    span({
      id: '5',
      parent: '4',
      service: 'payment',
      name: 'charge',
      startMs: 24,
      durationMs: 14,
      critical: true,
    }),
    span({
      id: '6',
      parent: '4',
      service: 'payment',
      name: 'publish payments:done',
      role: 'send',
      kind: 'PRODUCER',
      startMs: 39,
      durationMs: 3,
      critical: true,
    }),
    span({
      id: '7',
      service: 'analytics',
      name: 'process orders',
      role: 'process',
      kind: 'CONSUMER',
      startMs: 19,
      durationMs: 27,
      batchSize: 500,
      traceId: 'd3f7651916cd43dd8448eb211c80319c',
    }),
    span({
      id: '8',
      parent: '6',
      service: 'shipping',
      name: 'process payments:done',
      role: 'process',
      kind: 'CONSUMER',
      startMs: at(43),
      durationMs: 12,
      status: 'ERROR',
      statusMessage: '503 from carrier',
      attempt: 1,
    }),
    span({
      id: '9',
      parent: '6',
      service: 'shipping',
      name: 'process payments:done',
      role: 'process',
      kind: 'CONSUMER',
      startMs: at(60),
      durationMs: 16,
      attempt: 2,
      critical: true,
    }),
    span({
      id: 'a',
      parent: '9',
      service: 'shipping',
      name: 'publish depot/7/pick',
      role: 'send',
      kind: 'PRODUCER',
      startMs: at(72),
      durationMs: 3,
      critical: true,
    }),
    span({
      id: 'b',
      parent: 'a',
      service: 'depot-7',
      name: 'process depot/7/pick',
      role: 'process',
      kind: 'CONSUMER',
      startMs: at(84),
      durationMs: 9,
      critical: true,
    }),
    span({
      id: 'c',
      parent: '3',
      service: 'inventory',
      name: 'send orders.dead',
      role: 'send',
      kind: 'PRODUCER',
      startMs: 33,
      durationMs: 1,
    }),
    span({
      id: 'd',
      service: 'warehouse',
      name: 'process depot/7/picked',
      role: 'process',
      kind: 'CONSUMER',
      startMs: at(97),
      durationMs: 4,
      traceId: 'f5f7651916cd43dd8448eb211c80319c',
    }),
  ]
  const hops = [
    hop({
      index: 0,
      partition: '3',
      offset: '123456',
      from: 'order-service',
      to: 'payment',
      send: ref('2'),
      process: ref('4'),
      sentMs: 14,
      processedMs: 20,
      durationMs: 4,
    }),
    hop({
      index: 1,
      partition: '3',
      offset: '123456',
      from: 'order-service',
      to: 'inventory',
      send: ref('2'),
      process: ref('3'),
      sentMs: 14,
      processedMs: 21,
      durationMs: 4,
      error: true,
    }),
    hop({
      index: 2,
      partition: '3',
      offset: '123456',
      from: 'order-service',
      to: 'analytics',
      send: ref('2'),
      process: ref('7', 'd3f7651916cd43dd8448eb211c80319c'),
      sentMs: 14,
      processedMs: 19,
      durationMs: 4,
    }),
    hop({
      index: 3,
      transport: 'rabbitmq',
      destination: 'payments:done',
      from: 'payment',
      to: 'shipping',
      send: ref('6'),
      process: ref('8'),
      sentMs: 39,
      processedMs: at(43),
      durationMs: 3,
      error: true,
      attempts: 2,
    }),
    hop({
      index: 4,
      transport: 'mqtt',
      destination: 'depot/7/pick',
      qos: 1,
      from: 'shipping',
      to: 'depot-7',
      send: ref('a'),
      process: ref('b'),
      sentMs: at(72),
      processedMs: at(84),
      durationMs: 3,
    }),
    hop({
      index: 5,
      destination: 'orders.dead',
      from: 'inventory',
      send: ref('c'),
      sentMs: 33,
      durationMs: 1,
      attempts: 0,
    }),
    hop({
      index: 6,
      transport: 'mqtt',
      destination: 'depot/7/picked',
      to: 'warehouse',
      process: ref('d', 'f5f7651916cd43dd8448eb211c80319c'),
      processedMs: at(97),
    }),
  ]
  const edges: JourneyEdge[] = [
    { kind: 'retry', from: ref('8'), to: ref('9') },
    { kind: 'batch-link', from: ref('2'), to: ref('7', 'd3f7651916cd43dd8448eb211c80319c') },
    { kind: 'dead-letter', from: ref('3'), to: ref('c') },
  ]
  const findings = [
    finding({
      code: 'no-context',
      title: 'no context, publisher unknown, topic depot/7/picked',
      detail: 'The message carried no traceparent; 312 like it since 09:40, event source /depot/7.',
      fix: 'Publish with MQTT 5 user properties, or turn on the envelope.',
      span: ref('d', 'f5f7651916cd43dd8448eb211c80319c'),
      hop: 6,
    }),
    finding({
      code: 'not-exported-yet',
      severity: 'info',
      title: 'orders.dead: nobody seen receiving',
      detail: 'The message is younger than a minute; its consumer may not have exported yet.',
      hop: 5,
    }),
  ]
  return {
    ...journey(spans, hops, { edges, findings, event }),
    totals: { durationMs: at(101), workMs: 98, queueMs: 251_799, waitMs: 4 },
  }
}

/** `spanCount` spans of several services, nested and side by side, over some seconds. */
export function largeJourney(spanCount: number): Journey {
  const services = ['gateway', 'orders', 'inventory', 'payment', 'shipping', 'ledger']
  const spans = Array.from({ length: spanCount }, (_, index) => {
    const parent = index === 0 ? null : Math.floor((index - 1) / 4)
    const depth = Math.floor(Math.log(index * 3 + 1) / Math.log(4))
    const startMs = index === 0 ? 0 : depth * 3 + ((index * 7919) % 4000)
    return span({
      id: (index + 1).toString(16),
      parent: parent === null ? null : (parent + 1).toString(16),
      service: services[index % services.length] ?? 'gateway',
      name: index % 3 === 0 ? 'SELECT orders' : `step ${index}`,
      startMs,
      durationMs: index === 0 ? 4200 : 2 + ((index * 31) % 60),
      status: index % 97 === 0 ? 'ERROR' : 'UNSET',
      critical: index % 500 === 0,
    })
  })
  return journey(spans)
}

/** A batch of `size` messages, each sent in a trace of its own; the first is the journey's own event. */
export function batchJourney(size: number): Journey {
  const traceOf = (n: number): string => (n + 1).toString(16).padStart(32, 'a')
  const spans: JourneySpan[] = []
  const hops: JourneyHop[] = []
  const batch = span({
    id: 'ba',
    service: 'analytics',
    name: 'process orders',
    role: 'process',
    kind: 'CONSUMER',
    startMs: 4200,
    durationMs: 180,
    batchSize: size,
    critical: true,
  })
  for (let n = 0; n < size; n++) {
    const startMs = (n * 4000) / size
    const own = { 'cloudevents.event_id': `order-${n}` }
    spans.push(
      span({
        id: (n + 1).toString(16),
        traceId: traceOf(n),
        service: 'order-service',
        name: 'send orders',
        role: 'send',
        kind: 'PRODUCER',
        startMs,
        durationMs: 5 + (n % 7),
        attributes: own,
        critical: n === 0,
      }),
    )
    hops.push(
      hop({
        index: n,
        partition: String(n % 6),
        offset: String(1000 + n),
        from: 'order-service',
        to: 'analytics',
        send: ref((n + 1).toString(16), traceOf(n)),
        process: ref('ba'),
        sentMs: startMs,
        processedMs: 4200,
        durationMs: 6,
      }),
    )
  }
  return journey([...spans, batch], hops, {
    event: { id: 'order-0', source: '/orders', type: 'com.example.order.created', subject: null },
  })
}
