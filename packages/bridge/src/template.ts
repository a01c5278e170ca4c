import {
  attributeText,
  type CloudEvent,
  headerText,
  type Message,
  PermanentError,
  textOf,
} from '@throughline/core'

/** Where a rendered text goes, which decides what is legal in it. */
export type Target = 'kafkaTopic' | 'kafkaKey' | 'mqttTopic' | 'routingKey' | 'url'

/** `{{ event.subject }}`, as its segments. */
type Expression = readonly string[]

/** A text with `{{ … }}` in it, parsed once. */
export interface Template {
  /** As it was written. */
  readonly source: string
  readonly parts: readonly (string | Expression)[]
}

/** What a template's expressions see. `event` is undefined on a raw route. */
export interface Scope {
  readonly event: CloudEvent | undefined
  readonly message: Message
}

const EXPRESSION = /\{\{(.*?)\}\}/gs
const PATH = /^[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]+)*$/

/**
 * Parses `text {{ event.subject }} text`. Expressions are `event.<attribute>`, `event.data.<path>`, `message.key` and
 * `message.headers.<name>`. Throws SyntaxError with a sentence that says what is wrong.
 */
export function parseTemplate(source: string): Template {
  const parts: (string | Expression)[] = []
  let end = 0
  for (const match of source.matchAll(EXPRESSION)) {
    const literal = source.slice(end, match.index)
    if (literal !== '') parts.push(literal)
    parts.push(parseExpression((match[1] ?? '').trim()))
    end = match.index + match[0].length
  }
  const rest = source.slice(end)
  if (rest !== '') parts.push(rest)
  for (const part of parts) {
    if (typeof part === 'string' && /\{\{|\}\}/.test(part)) throw new SyntaxError('a {{ or }} has no partner')
  }
  return { source, parts }
}

/** Its name for spans and metrics, the same for all events: `alerts/{event.subject}`; of a URL the path. */
export function spanNameOf({ parts }: Template): string {
  const name = parts.map((part) => (typeof part === 'string' ? part : `{${part.join('.')}}`)).join('')
  if (!/^https?:\/\//i.test(name)) return name
  return name.replace(/^https?:\/\/[^/?]*/i, '').replace(/\?.*$/s, '') || '/'
}

function parseExpression(text: string): Expression {
  if (!PATH.test(text))
    throw new SyntaxError(`{{ ${text} }} is not a path such as event.subject or event.data.id`)
  const path = text.split('.')
  const [root, member, ...more] = path
  if (root === 'event' && member === 'data') {
    if (more.length > 0) return path
    throw new SyntaxError('{{ event.data }} is not one value: name a member, such as event.data.id')
  }
  if (root === 'event' && member !== undefined && more.length === 0) {
    if (/^[a-z0-9]+$/.test(member)) return path
    throw new SyntaxError(`{{ ${text} }}: attribute names are lower-case letters and digits`)
  }
  if (root === 'message' && member === 'key' && more.length === 0) return path
  if (root === 'message' && member === 'headers' && more.length > 0) return path
  throw new SyntaxError(
    `{{ ${text} }} is unknown: event.<attribute>, event.data.<path>, message.key and message.headers.<name> are there`,
  )
}

/** True when nothing in the template differs by event. */
export function isStatic({ parts }: Pick<Template, 'parts'>): boolean {
  return parts.every((part) => typeof part === 'string')
}

/** True when an expression of it needs an event, which a raw route does not have. */
export function readsEvent({ parts }: Template): boolean {
  return parts.some((part) => typeof part !== 'string' && part[0] === 'event')
}

/**
 * The text for one event, checked for its target. Throws PermanentError when a value is missing, is not one text, or
 * has what the target must not be given: a value can then neither widen an MQTT topic nor leave its URL path segment.
 */
export function render(template: Template, scope: Scope, target: Target): string {
  const rules = TARGETS[target]
  let text = ''
  for (const part of template.parts) {
    if (typeof part === 'string') {
      text += part
      continue
    }
    const name = part.join('.')
    const value = lookUp(part, name, scope)
    const fault = rules.faultOfValue(value)
    if (fault !== null) throw refused(template, name, value, fault)
    text += rules.encode(value)
  }
  const fault = rules.faultOfResult(text)
  if (fault !== null)
    throw new PermanentError(`${template.source} became ${quote(text)}, which ${fault}`, CODE)
  return text
}

const CODE = { code: 'TL_TEMPLATE' } as const

function refused(template: Template, name: string, value: string, fault: string): PermanentError {
  return new PermanentError(`${name} is ${quote(value)}, which ${fault} (in ${template.source})`, CODE)
}

function lookUp(path: Expression, name: string, { event, message }: Scope): string {
  const [root, member = '', ...rest] = path
  if (root === 'message') return ofMessage(message, member, rest, name)
  let value: unknown = event !== undefined && Object.hasOwn(event, member) ? event[member] : undefined
  if (member === 'data' && (typeof value === 'string' || value instanceof Uint8Array)) {
    throw new PermanentError(`${name} is not there: the event's data is not JSON`, CODE)
  }
  for (const segment of rest) {
    value = isObject(value) && Object.hasOwn(value, segment) ? value[segment] : undefined
  }
  return asText(value, name)
}

function ofMessage({ key, headers }: Message, member: string, rest: Expression, name: string): string {
  if (member === 'key') return asText(key === undefined ? undefined : textOf(key), name)
  return asText(headerText(headers, rest.join('.').toLowerCase()) ?? undefined, name)
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !(value instanceof Uint8Array)
}

function asText(value: unknown, name: string): string {
  if (value === undefined || value === null) throw new PermanentError(`${name} is missing`, CODE)
  if (
    typeof value === 'string' ||
    typeof value === 'number' ||
    typeof value === 'boolean' ||
    value instanceof Uint8Array
  ) {
    return attributeText(value)
  }
  throw new PermanentError(
    `${name} is not one text but ${Array.isArray(value) ? 'an array' : 'an object'}`,
    CODE,
  )
}

interface TargetRules {
  readonly encode: (value: string) => string
  /** What is wrong with one value, as the end of "which …"; null: nothing. */
  readonly faultOfValue: (value: string) => string | null
  readonly faultOfResult: (text: string) => string | null
}

const same = (value: string): string => value
const none = (): null => null
// biome-ignore lint/suspicious/noControlCharactersInRegex: MQTT 5 §1.5.4 names exactly these
const NOT_MQTT = /[\u0000-\u001f\u007f-\u009f\ufdd0-\ufdef\ufffe\uffff]|\p{Cs}/u

const TARGETS: Readonly<Record<Target, TargetRules>> = {
  kafkaKey: { encode: same, faultOfValue: none, faultOfResult: none },
  kafkaTopic: {
    encode: same,
    faultOfValue: (value) => (value === '' ? 'is empty' : null),
    faultOfResult: faultOfKafkaTopic,
  },
  mqttTopic: {
    encode: same,
    faultOfValue(value) {
      if (/[+#]/.test(value)) return 'has an MQTT wildcard'
      return /^\/|\/\/|\/$|^$/.test(value) ? 'makes an empty topic level' : null
    },
    faultOfResult: faultOfMqttTopic,
  },
  routingKey: {
    encode: same,
    // Words are divided by dots: an empty value would shift those behind it.
    faultOfValue: (value) => (value === '' ? 'is empty' : null),
    faultOfResult: faultOfRoutingKey,
  },
  url: {
    encode: (value) => encodeURIComponent(value.toWellFormed()),
    // A dot segment is taken out by every URL parser, encoded or not, and would climb out of its path.
    faultOfValue: (value) => (/^\.{0,2}$/.test(value) ? 'is no URL path segment' : null),
    faultOfResult: none,
  },
}

/** What is wrong with a Kafka topic's name, as the end of "which …"; null: nothing. */
export function faultOfKafkaTopic(topic: string): string | null {
  if (topic === '.' || topic === '..') return 'no Kafka topic can be called'
  if (topic.length > 249) return 'is longer than 249 characters'
  return /^[A-Za-z0-9._-]+$/.test(topic) ? null : 'is no Kafka topic name: letters, digits, dot, _ and - only'
}

/** What is wrong with the name of an MQTT topic to publish to (MQTT 5 §4.7); null: nothing. */
export function faultOfMqttTopic(topic: string): string | null {
  if (topic === '') return 'is empty'
  if (/[+#]/.test(topic)) return 'has an MQTT wildcard'
  if (topic.startsWith('$')) return "begins with $, which is the broker's own"
  if (NOT_MQTT.test(topic)) return 'has a character that MQTT does not allow'
  return Buffer.byteLength(topic) > 65_535 ? 'is longer than 65,535 bytes' : null
}

/** What is wrong with a routing key of AMQP 0-9-1 (a short string); null: nothing. */
export function faultOfRoutingKey(routingKey: string): string | null {
  return Buffer.byteLength(routingKey) > 255 ? 'is longer than 255 bytes' : null
}

function quote(text: string): string {
  return JSON.stringify(text.length > 64 ? `${text.slice(0, 64)}…` : text)
}
