import type { JourneyEvent, SpanRole } from '../api/schema.ts'
import type { Span } from '../otlp/span.ts'
import { type AttributeMap, isTrue, numberOf, textOf } from '../otlp/value.ts'
import { destinationOf, positionOf } from './destination.ts'

/** What a span says about a message, whatever names its instrumentation uses. */
export interface Meaning {
  readonly role: SpanRole
  /** `kafka`, `rabbitmq`, `mqtt`, `http`, …; null where the span does not say. */
  readonly system: string | null
  /** `publish`, `poll`, …: the operation in the instrumentation's own word; else the role. */
  readonly operation: string
  readonly destination: string | null
  readonly template: string | null
  readonly partition: string | null
  readonly offset: string | null
  readonly qos: number | null
  readonly group: string | null
  readonly key: string | null
  readonly messageId: string | null
  readonly event: JourneyEvent | null
  readonly batchSize: number | null
  readonly attempt: number | null
  /** No context came with the message; with `invalidContext` one came that could not be read. */
  readonly missingContext: boolean
  readonly invalidContext: string | null
  /** Start of the send in Unix microseconds as the message itself says, and who said it. */
  readonly sentAtUnixMicros: number | null
  readonly sentAtSource: 'header' | 'broker'
  readonly outcome: string | null
  /** Host and path of a call (`127.0.0.1:9999/echo`), for spans of HTTP and RPC. */
  readonly callTarget: string | null
}

const cache = new WeakMap<Span, Meaning>()

/** Reads a span's attributes by the current and all older names of OpenTelemetry's messaging and HTTP conventions. */
export function readMeaning(span: Span): Meaning {
  const cached = cache.get(span)
  if (cached) return cached
  const meaning = meaningOf(span)
  cache.set(span, meaning)
  return meaning
}

function meaningOf(span: Span): Meaning {
  const attributes = span.attributes
  const system = systemOf(attributes)
  const role = roleOf(span, system)
  return {
    role,
    system,
    operation:
      text(attributes, 'messaging.operation.name') ?? text(attributes, 'messaging.operation') ?? role,
    ...destinationOf(span, system, role),
    ...positionOf(attributes, system),
    qos: numberOf(attributes.get('messaging.mqtt.qos') ?? attributes.get('mqtt.qos')) ?? null,
    group:
      text(
        attributes,
        'messaging.consumer.group.name',
        'messaging.kafka.consumer.group',
        'messaging.kafka.consumer_group',
        'messaging.consumer_group',
      ) ?? null,
    key: text(attributes, 'messaging.kafka.message.key', 'messaging.kafka.message_key') ?? null,
    messageId: text(attributes, 'messaging.message.id', 'messaging.message_id') ?? null,
    event: eventOf(attributes),
    batchSize: numberOf(attributes.get('messaging.batch.message_count')) ?? null,
    attempt: numberOf(attributes.get('throughline.attempt')) ?? null,
    missingContext:
      isTrue(attributes.get('throughline.missing_context')) || isTrue(attributes.get('mqtt.missing_context')),
    invalidContext: text(attributes, 'throughline.invalid_context') ?? null,
    sentAtUnixMicros: numberOf(attributes.get('throughline.sent_at')) ?? null,
    sentAtSource: text(attributes, 'throughline.sent_at_source') === 'broker' ? 'broker' : 'header',
    outcome: text(attributes, 'throughline.outcome') ?? null,
    callTarget: callTargetOf(attributes),
  }
}

/** The first of the names that has a value that is not empty. */
export function text(attributes: AttributeMap, ...names: readonly string[]): string | undefined {
  for (const name of names) {
    const value = textOf(attributes.get(name))
    if (value !== undefined && value !== '') return value
  }
  return undefined
}

function systemOf(attributes: AttributeMap): string | null {
  const named = text(attributes, 'messaging.system')
  if (named) return named.toLowerCase()
  if (text(attributes, 'http.request.method', 'http.method', 'url.full', 'http.url')) return 'http'
  return text(attributes, 'rpc.system.name', 'rpc.system')?.toLowerCase() ?? null
}

function eventOf(attributes: AttributeMap): JourneyEvent | null {
  const id = text(attributes, 'cloudevents.event_id', 'cloudevents.id')
  if (id === undefined) return null
  return {
    id,
    source: text(attributes, 'cloudevents.event_source', 'cloudevents.source') ?? null,
    type: text(attributes, 'cloudevents.event_type', 'cloudevents.type') ?? null,
    subject: text(attributes, 'cloudevents.event_subject', 'cloudevents.subject') ?? null,
  }
}

const roleByOperation: ReadonlyMap<string, SpanRole> = new Map([
  ['create', 'create'],
  ['send', 'send'],
  ['publish', 'send'],
  ['receive', 'receive'],
  ['recv', 'receive'],
  ['poll', 'receive'],
  ['process', 'process'],
  ['deliver', 'process'],
  ['consume', 'process'],
  ['settle', 'settle'],
  ['ack', 'settle'],
  ['nack', 'settle'],
  ['commit', 'settle'],
  ['reject', 'settle'],
])

/** By operation type, old operation, operation name, kind, and the span's name last. */
function roleOf(span: Span, system: string | null): SpanRole {
  const stated = ['messaging.operation.type', 'messaging.operation', 'messaging.operation.name']
  for (const name of stated) {
    const role = roleByOperation.get(text(span.attributes, name)?.toLowerCase() ?? '')
    if (role) return role
  }
  const named = roleByName(span.name)
  switch (span.kind) {
    case 'PRODUCER':
      return named === 'create' ? 'create' : 'send'
    case 'CONSUMER':
      return named === 'receive' ? 'receive' : 'process'
    case 'CLIENT':
      // Acknowledgements of older RabbitMQ instrumentations say what they do only in their name (`basic.ack`).
      return named === 'settle' && system !== null ? 'settle' : 'client'
    case 'SERVER':
      return 'server'
    default:
      return 'internal'
  }
}

/** The verb is the first word in some instrumentations and the last one in others. */
function roleByName(name: string): SpanRole | undefined {
  const words = name.toLowerCase().split(/[ .]/)
  return roleByOperation.get(words[0] ?? '') ?? roleByOperation.get(words.at(-1) ?? '')
}

function callTargetOf(attributes: AttributeMap): string | null {
  const full = text(attributes, 'url.full', 'http.url')
  if (full !== undefined && URL.canParse(full)) {
    const url = new URL(full)
    return `${url.host}${url.pathname}`
  }
  const host = text(attributes, 'server.address', 'net.peer.name', 'http.host')
  const path = text(attributes, 'url.path', 'http.target', 'http.route')?.split('?')[0]
  if (path !== undefined) return `${host ?? ''}${path}`
  const service = text(attributes, 'rpc.service')
  const method = text(attributes, 'rpc.method')
  if (service === undefined && method === undefined) return null
  return [service, method].filter((part) => part !== undefined).join('/')
}
