/**
 * What the explorer's HTTP API answers. The page, the command line and other people's programs read these
 * shapes and nothing else; how spans are stored and how OTLP looks on the wire is kept apart on purpose.
 *
 * Times: `…UnixNanos` are decimal strings (a JSON number would lose nanoseconds); `…Ms` are milliseconds as a
 * number with a fraction; `startMs` counts from the start of the journey.
 */

/** An attribute's value: OTLP's AnyValue as JSON. 64-bit integers beyond 2^53 are decimal strings, bytes base64. */
export type AttributeValue =
  | string
  | number
  | boolean
  | null
  | readonly AttributeValue[]
  | { readonly [name: string]: AttributeValue }
/** Attributes by their names. */
export type Attributes = Readonly<Record<string, AttributeValue>>

/** OpenTelemetry's kinds of spans. */
export type SpanKind = 'INTERNAL' | 'SERVER' | 'CLIENT' | 'PRODUCER' | 'CONSUMER'
/** OpenTelemetry's status of a span. */
export type SpanStatus = 'UNSET' | 'OK' | 'ERROR'

/** What a span does for a message, whatever names its instrumentation uses. `client`/`server` are calls that are not messages. */
export type SpanRole = 'create' | 'send' | 'receive' | 'process' | 'settle' | 'client' | 'server' | 'internal'

/** Names a span: 32 and 16 hex digits, in lower case. */
export interface SpanRef {
  readonly traceId: string
  readonly spanId: string
}

/** One span of a journey. */
export interface JourneySpan extends SpanRef {
  readonly parentSpanId: string | null
  readonly name: string
  readonly kind: SpanKind
  readonly role: SpanRole
  /** The operation in the instrumentation's own word (`publish`, `poll`, `ack`), else the role. */
  readonly operation: string
  /** `service.name` of the resource; `unknown_service` where there is none. */
  readonly service: string
  readonly startMs: number
  readonly durationMs: number
  /** Duration less the time in which a child of the same service was running. */
  readonly selfMs: number
  readonly status: SpanStatus
  readonly statusMessage: string | null
  /** Which try this is, from 1; null where the span does not say. */
  readonly attempt: number | null
  /** Number of messages, for a batch. */
  readonly batchSize: number | null
  readonly attributes: Attributes
  readonly resource: Attributes
  readonly scope: { readonly name: string; readonly version: string }
  readonly events: readonly {
    readonly name: string
    readonly atMs: number
    readonly attributes: Attributes
  }[]
  readonly links: readonly (SpanRef & { readonly attributes: Attributes })[]
  /** True on the path that decided how long the journey took. */
  readonly critical: boolean
}

/** How one span follows from another: as its parent, or by a link of some meaning. */
export type EdgeKind =
  | 'child'
  | 'async-child'
  | 'link'
  | 'batch-link'
  | 'replay-link'
  | 'retry'
  | 'dead-letter'
  | 'copy'
  | 'inferred'

/** From cause to effect. A link that equals the span's own parent is one edge. */
export interface JourneyEdge {
  readonly kind: EdgeKind
  readonly from: SpanRef
  readonly to: SpanRef
}

/** One step over one transport: a message from its send to its process, or a call from client to server. */
export interface JourneyHop {
  readonly index: number
  readonly kind: 'message' | 'call'
  /** `http`, `kafka`, `mqtt`, `rabbitmq`, or whatever `messaging.system` says. */
  readonly transport: string
  /** Concrete: `sensor-readings`, `sensors/sensor-001/reading`, `/events`. */
  readonly destination: string
  readonly destinationTemplate: string | null
  readonly partition: string | null
  readonly offset: string | null
  readonly qos: number | null
  /** Service that sent; null: the publisher is unknown. */
  readonly from: string | null
  /** Service that received; null: nobody was seen receiving it. */
  readonly to: string | null
  readonly send: SpanRef | null
  readonly process: SpanRef | null
  /** Start of the send, from the start of the journey; null where it is not known. */
  readonly sentMs: number | null
  /** When the broker had confirmed (end of the send span); null where it is not known. */
  readonly confirmedMs: number | null
  /** Start of the process; where it seems to be up to 1 ms before the send (SDKs that count whole milliseconds), the send's. */
  readonly processedMs: number | null
  /**
   * Start of the process − start of the send. Negative is clock skew of more than 1 ms. Null where either end is not known.
   * For a call: start of the server span − start of the client span.
   */
  readonly queueMs: number | null
  /** Where the start of the send comes from. */
  readonly queueSource: 'spans' | 'header' | 'broker' | null
  /** Duration of the send or client span; null where it was not received. */
  readonly durationMs: number | null
  readonly error: boolean
  /** How many times this consumer tried: 1, more after failures, 0 where nobody was seen receiving. */
  readonly attempts: number
}

/** What the explorer can say of a journey; docs/explorer.md has a line on each. */
export type FindingCode =
  | 'no-context'
  | 'invalid-context'
  | 'span-not-received'
  | 'not-exported-yet'
  | 'sampled-out'
  | 'older-than-retention'
  | 'duplicate-span-id'
  | 'cycle'
  | 'clock-skew'
  | 'dropped-links'
  | 'rejected'

/** Something that is not as it should be, with its evidence and what to do. */
export interface Finding {
  readonly code: FindingCode
  readonly severity: 'info' | 'warning' | 'error'
  /** One line: `no context, publisher unknown, topic sensors/sensor-001/reading`. */
  readonly title: string
  readonly detail: string
  readonly fix: string | null
  /** The span on which the finding stands: the one whose cause is missing. */
  readonly span: SpanRef | null
  /** The span that is missing, where its id is known. */
  readonly missing: SpanRef | null
  readonly hop: number | null
}

/** The event that a journey is of, as far as its spans name it. */
export interface JourneyEvent {
  readonly id: string
  readonly source: string | null
  readonly type: string | null
  readonly subject: string | null
}

/** Where a journey's time went, milliseconds. */
export interface JourneyTotals {
  readonly durationMs: number
  /** Some span was at work. work + queue + wait = duration. */
  readonly workMs: number
  /** No span was at work and a message was on its way through a broker. */
  readonly queueMs: number
  /** Neither: waiting for an answer, or idle. */
  readonly waitMs: number
}

/** `GET /api/journeys/{id}` — id: an event id, a trace id (32 hex) or a span id (16 hex). */
export interface Journey {
  /** The event's id where one is known, else the trace id. */
  readonly id: string
  readonly event: JourneyEvent | null
  /** In order of their first span. */
  readonly traceIds: readonly string[]
  readonly startUnixNanos: string
  readonly totals: JourneyTotals
  /** In order of their first span. */
  readonly services: readonly string[]
  /** In order of their first message. */
  readonly destinations: readonly { readonly transport: string; readonly name: string }[]
  /** In order of start; one that starts up to 1 ms before its parent (SDKs that count whole milliseconds) stands behind it. */
  readonly spans: readonly JourneySpan[]
  readonly edges: readonly JourneyEdge[]
  readonly hops: readonly JourneyHop[]
  readonly findings: readonly Finding[]
  /** Present when the journey was larger than the budget: what was left out. */
  readonly truncated: { readonly spans: number; readonly budget: number } | null
}

/** A row of the list of journeys, and the data of a `journey` event on the live stream. */
export interface JourneySummary {
  readonly id: string
  readonly event: JourneyEvent | null
  readonly traceId: string
  readonly startUnixNanos: string
  readonly durationMs: number
  readonly services: readonly string[]
  /** Transports in order of their messages: `['http','kafka','mqtt','http']`. */
  readonly transports: readonly string[]
  readonly spanCount: number
  readonly errorCount: number
  readonly findingCount: number
}

/** `GET /api/journeys?limit=&before=` (newest first) and `GET /api/search?q=&limit=`. */
export interface JourneyList {
  readonly journeys: readonly JourneySummary[]
  /** Pass as `before` for the next page; null at the end. */
  readonly next: string | null
}

/** `GET /api/status` */
export interface ExplorerStatus {
  readonly version: string
  readonly spanCount: number
  readonly bytes: number
  readonly oldestUnixNanos: string | null
  readonly retention: { readonly maxAgeMs: number; readonly maxBytes: number }
  readonly otlpHttp: string | null
}

/** Every error, as `application/problem+json` (RFC 9457). */
export interface Problem {
  readonly type: string
  readonly title: string
  readonly status: number
  readonly detail: string
  /** Stable, e.g. `TL_JOURNEY_NOT_FOUND`. */
  readonly code: string
}
