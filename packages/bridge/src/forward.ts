import type { Context } from '@opentelemetry/api'
import {
  type Binding,
  type CloudEvent,
  type ContentMode,
  type Delivery,
  headerText,
  type Message,
  mediaTypeOf,
  STRUCTURED_JSON,
} from '@throughline/core'
import { destinationOf, type RouteConfig, type TargetConfig } from './config/config.ts'
import { attributeHeader, type HeaderRules, passOn, type System } from './headers.ts'
import { isStatic, render, type Scope, type Target } from './template.ts'

/** One side of a route, as far as messages are concerned. */
export interface Side {
  readonly system: System
  readonly binding: Binding
}

export interface ForwardOptions {
  readonly route: Pick<RouteConfig, 'from' | 'to' | 'trace'>
  readonly source: Side
  readonly target: Side
  /** Told of headers that the target cannot carry. */
  readonly onDropped: (names: readonly string[]) => void
}

/** What a delivery becomes for the target; `event` is undefined on a raw route. Throws PermanentError for a template that cannot be filled. */
export type Forward = (event: CloudEvent | undefined, delivery: Delivery, context: Context) => Message

/** How deliveries of one route are laid into messages. Events keep all attributes; data keeps its bytes where the mode stays. */
export function createForward({ route, source, target, onDropped }: ForwardOptions): Forward {
  const { from, to } = route
  const rules = headerRules(route, source.system, target.system)
  const ownHeaders = new Set(
    to.transport === 'http' ? Object.keys(to.headers).map((name) => name.toLowerCase()) : [],
  )

  return (event, delivery, context) => {
    const { message } = delivery
    const scope: Scope = { event, message }
    const passed = passOn(message, rules)
    if (passed.dropped.length > 0) onDropped(passed.dropped)
    const key = keyOf(to, scope, delivery, from.transport)
    const encoded =
      event === undefined ? rawOf(message) : encode(event, message, source.system, target.binding, to.mode)
    const destination = renderedDestination(to, scope)
    return {
      ...encoded,
      // What the configuration says of a header goes before what happened to arrive.
      headers: [
        ...encoded.headers,
        ...passed.headers.filter(([name]) => !ownHeaders.has(name.toLowerCase())),
      ],
      ...(key === undefined ? {} : { key }),
      ...(destination === undefined ? {} : { destination }),
      ...(passed.properties === undefined ? {} : { properties: passed.properties }),
      ...(event === undefined ? {} : { event }),
      context,
    }
  }
}

export function headerRules(
  { from, to, trace }: Pick<RouteConfig, 'from' | 'to' | 'trace'>,
  source: System,
  target: System,
): HeaderRules {
  return {
    from: source,
    to: target,
    allowed: new Set(from.transport === 'http' ? from.headers : []),
    raw: to.raw,
    context: trace.trust === 'continue',
  }
}

/** The body and its type as they came, without headers. */
export function rawOf({ body, contentType }: Message): Message {
  return { body, headers: [], ...(contentType === undefined ? {} : { contentType }) }
}

/**
 * The event in the target's binding. Where the mode stays the body's bytes are sent as they came: reading and writing
 * JSON would keep its values, not its text.
 */
export function encode(
  event: CloudEvent,
  message: Message,
  source: System,
  target: Binding,
  mode: ContentMode,
): Message {
  const came = modeOf(message, source)
  if (came === 'structured' && mode === 'structured') return rawOf(message)
  if (came !== 'binary' || mode === 'structured' || event.data === undefined || message.body === null) {
    return target.encode(event, { mode })
  }
  const encoded = target.encode({ ...event, data: message.body }, { mode })
  // Structured after all, for an event that the target has no binary form of: text must not become base64.
  return isStructured(encoded) ? target.encode(event, { mode }) : encoded
}

/** The mode an event came in; undefined for a structured one that does not say so. */
export function modeOf(message: Message, source: System): ContentMode | undefined {
  if (isStructured(message)) return 'structured'
  return headerText(message.headers, attributeHeader(source, 'specversion')) === null ? undefined : 'binary'
}

function isStructured({ contentType }: Message): boolean {
  return contentType !== undefined && mediaTypeOf(contentType) === STRUCTURED_JSON
}

const KINDS: Readonly<Record<TargetConfig['transport'], Target>> = {
  http: 'url',
  kafka: 'kafkaTopic',
  mqtt: 'mqttTopic',
  rabbitmq: 'routingKey',
}

function renderedDestination(to: TargetConfig, scope: Scope): string | undefined {
  const template = destinationOf(to)
  if (isStatic(template)) return undefined
  if (to.transport === 'rabbitmq') {
    // With the exchange, as the publisher reads it: the default one is named by nothing before the colon.
    return `${to.exchange}:${to.routingKey === undefined ? '' : render(to.routingKey, scope, 'routingKey')}`
  }
  const text = render(template, scope, KINDS[to.transport])
  // The publisher's own origin is kept; a whole URL would be the destination's name in spans.
  return to.transport === 'http' ? text.replace(/^https?:\/\/[^/?]*/i, '') : text
}

/** What order is kept by at the target: what is written in the configuration, else what the source keeps it by. */
function keyOf(
  to: TargetConfig,
  scope: Scope,
  { message, position, orderKey }: Delivery,
  source: System,
): string | Uint8Array | undefined {
  if (to.transport === 'kafka' && to.key !== undefined) return render(to.key, scope, 'kafkaKey')
  if (message.key !== undefined) return message.key
  const { event } = scope
  if (typeof event?.partitionkey === 'string') return event.partitionkey
  if (source === 'mqtt') return position.destination
  // The routing key.
  if (source === 'rabbitmq') return orderKey
  return source === 'http' ? event?.subject : undefined
}
