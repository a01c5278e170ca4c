import type {
  Attributes,
  AttributeValue,
  ExplorerStatus,
  Finding,
  Journey,
  JourneyEdge,
  JourneyEvent,
  JourneyHop,
  JourneyList,
  JourneySpan,
  JourneySummary,
  Problem,
  SpanRef,
} from '@throughline/explorer/api'
import { flag, keyOf, list, map, nullable, number, object, type Shape, text } from './shape.ts'

const attributes: Shape<Attributes> = map<AttributeValue>()
const ref: Shape<SpanRef> = object<SpanRef>({ traceId: text, spanId: text })

const event: Shape<JourneyEvent> = object<JourneyEvent>({
  id: text,
  source: nullable(text),
  type: nullable(text),
  subject: nullable(text),
})

const span: Shape<JourneySpan> = object<JourneySpan>({
  traceId: text,
  spanId: text,
  parentSpanId: nullable(text),
  name: text,
  kind: keyOf({ INTERNAL: true, SERVER: true, CLIENT: true, PRODUCER: true, CONSUMER: true }),
  operation: text,
  role: keyOf({
    create: true,
    send: true,
    receive: true,
    process: true,
    settle: true,
    client: true,
    server: true,
    internal: true,
  }),
  service: text,
  startMs: number,
  durationMs: number,
  selfMs: number,
  status: keyOf({ UNSET: true, OK: true, ERROR: true }),
  statusMessage: nullable(text),
  attempt: nullable(number),
  batchSize: nullable(number),
  attributes,
  resource: attributes,
  scope: object<JourneySpan['scope']>({ name: text, version: text }),
  events: list(object<JourneySpan['events'][number]>({ name: text, atMs: number, attributes })),
  links: list(object<JourneySpan['links'][number]>({ traceId: text, spanId: text, attributes })),
  critical: flag,
})

const edge: Shape<JourneyEdge> = object<JourneyEdge>({
  kind: keyOf({
    child: true,
    'async-child': true,
    link: true,
    'batch-link': true,
    'replay-link': true,
    retry: true,
    'dead-letter': true,
    copy: true,
    inferred: true,
  }),
  from: ref,
  to: ref,
})

const hop: Shape<JourneyHop> = object<JourneyHop>({
  index: number,
  kind: keyOf({ message: true, call: true }),
  transport: text,
  destination: text,
  destinationTemplate: nullable(text),
  partition: nullable(text),
  offset: nullable(text),
  qos: nullable(number),
  from: nullable(text),
  to: nullable(text),
  send: nullable(ref),
  process: nullable(ref),
  sentMs: nullable(number),
  confirmedMs: nullable(number),
  processedMs: nullable(number),
  queueMs: nullable(number),
  queueSource: nullable(keyOf({ spans: true, header: true, broker: true })),
  durationMs: nullable(number),
  error: flag,
  attempts: number,
})

const finding: Shape<Finding> = object<Finding>({
  code: keyOf({
    'no-context': true,
    'invalid-context': true,
    'span-not-received': true,
    'not-exported-yet': true,
    'sampled-out': true,
    'older-than-retention': true,
    'duplicate-span-id': true,
    cycle: true,
    'clock-skew': true,
    'dropped-links': true,
    rejected: true,
  }),
  severity: keyOf({ info: true, warning: true, error: true }),
  title: text,
  detail: text,
  fix: nullable(text),
  span: nullable(ref),
  missing: nullable(ref),
  hop: nullable(number),
})

export const journey: Shape<Journey> = object<Journey>({
  id: text,
  event: nullable(event),
  traceIds: list(text),
  startUnixNanos: text,
  totals: object<Journey['totals']>({ durationMs: number, workMs: number, queueMs: number, waitMs: number }),
  services: list(text),
  destinations: list(object<Journey['destinations'][number]>({ transport: text, name: text })),
  spans: list(span),
  edges: list(edge),
  hops: list(hop),
  findings: list(finding),
  truncated: nullable(
    object<{ readonly spans: number; readonly budget: number }>({ spans: number, budget: number }),
  ),
})

export const summary: Shape<JourneySummary> = object<JourneySummary>({
  id: text,
  event: nullable(event),
  traceId: text,
  startUnixNanos: text,
  durationMs: number,
  services: list(text),
  transports: list(text),
  spanCount: number,
  errorCount: number,
  findingCount: number,
})

export const journeyList: Shape<JourneyList> = object<JourneyList>({
  journeys: list(summary),
  next: nullable(text),
})

export const status: Shape<ExplorerStatus> = object<ExplorerStatus>({
  version: text,
  spanCount: number,
  bytes: number,
  oldestUnixNanos: nullable(text),
  retention: object<ExplorerStatus['retention']>({ maxAgeMs: number, maxBytes: number }),
  otlpHttp: nullable(text),
})

export const problem: Shape<Problem> = object<Problem>({
  type: text,
  title: text,
  status: number,
  detail: text,
  code: text,
})
