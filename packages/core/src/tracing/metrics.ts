import {
  type Attributes,
  type Context,
  type Counter,
  createNoopMeter,
  type Histogram,
  type MeterProvider,
} from '@opentelemetry/api'
import type { Publisher, PublishResult, Subscriber, Transport } from '../contract.ts'
import { errorType } from '../errors.ts'
import type { Message } from '../message.ts'
import { APPLICATION, type Scope } from './scope.ts'

interface Instruments {
  readonly sentMessages: Counter
  readonly operationDuration: Histogram
  readonly consumedMessages: Counter
  readonly processDuration: Histogram
  readonly queueDuration: Histogram
  readonly queueSkewed: Counter
}

/** Bucket boundaries of the messaging conventions 1.44, seconds. */
const OPERATION_BUCKETS = [0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10]
/** A queue may hold a message for a millisecond or for a weekend. */
const QUEUE_BUCKETS = [
  0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 10, 30, 60, 300, 900, 3600, 14_400, 43_200, 86_400, 259_200,
]

const NAME = '@throughline/core'

let provider: MeterProvider | undefined
let current: Instruments | undefined
/** Null where nothing counts. Several providers are in use at once where an instrumentation was given its own. */
const made = new WeakMap<MeterProvider, Instruments | null>()

/** Undefined where nothing counts. The API's meters, unlike its tracers, are no proxies: one taken before the SDK is set up would count nothing for ever. */
function instrumentsOf(scope: Scope): Instruments | undefined {
  const registered = scope.meterProvider()
  if (registered !== provider) {
    provider = registered
    let found = made.get(registered)
    if (found === undefined) {
      const counts = registered.getMeter(NAME) !== createNoopMeter()
      found = counts ? createInstruments(registered) : null
      made.set(registered, found)
    }
    current = found ?? undefined
  }
  return current
}

function createInstruments(registered: MeterProvider): Instruments {
  const meter = registered.getMeter(NAME)
  const seconds = (name: string, description: string, explicitBucketBoundaries: number[]) =>
    meter.createHistogram(name, { description, unit: 's', advice: { explicitBucketBoundaries } })
  const messages = (name: string, description: string) =>
    meter.createCounter(name, { description, unit: '{message}' })
  return {
    sentMessages: messages(
      'messaging.client.sent.messages',
      'Messages that were handed to the broker, with or without success',
    ),
    operationDuration: seconds(
      'messaging.client.operation.duration',
      "Duration of a publisher's or consumer's operation on the broker",
      OPERATION_BUCKETS,
    ),
    consumedMessages: messages(
      'messaging.client.consumed.messages',
      'Messages that were handed to the application',
    ),
    processDuration: seconds(
      'messaging.process.duration',
      'Duration of one attempt of a handler',
      OPERATION_BUCKETS,
    ),
    queueDuration: seconds(
      'throughline.queue.duration',
      'From the start of the send to the start of the first attempt',
      QUEUE_BUCKETS,
    ),
    queueSkewed: messages(
      'throughline.queue.skewed',
      'Messages whose process began before their send: two clocks differ',
    ),
  }
}

/** What a publisher counts, sampled or not. */
export interface SendMeter {
  /** Whether anything counts at this moment. */
  counts(): boolean
  /** One message, confirmed or refused. */
  sent(message: Message, result: PublishResult<Error>, context: Context): void
  /** One operation of `durationMs`, of one message or of a batch; `message` where all go to one destination. */
  took(durationMs: number, message: Message | undefined, error: unknown, context: Context): void
}

type System = Pick<Transport<never, never>, 'system' | 'sendOperation' | 'attributes'>

export function sendMeter(
  { system, sendOperation, attributes }: System,
  publisher: Pick<Publisher, 'destination' | 'attributes'>,
  template: string | undefined,
  scope: Scope = APPLICATION,
): SendMeter {
  const fixed: Attributes = {
    'messaging.system': system,
    'messaging.operation.name': sendOperation,
    'messaging.operation.type': 'send',
    ...serverOf(attributes.connection),
    ...serverOf(publisher.attributes ?? {}),
  }
  const own = byError({ ...fixed, ...placeOf(publisher.destination, template) })
  // A destination that only the message names may be one of thousands.
  const elsewhere = template === undefined ? byError(fixed) : own
  const of = (message: Message | undefined) =>
    message === undefined || (message.destination ?? publisher.destination) !== publisher.destination
      ? elsewhere
      : own
  return {
    counts: () => instrumentsOf(scope) !== undefined,
    sent(message, result, context) {
      instrumentsOf(scope)?.sentMessages.add(1, of(message)(result.ok ? undefined : result.error), context)
    },
    took(durationMs, message, error, context) {
      instrumentsOf(scope)?.operationDuration.record(durationMs / 1000, of(message)(error), context)
    },
  }
}

/** Where deliveries come from: a low-cardinality name (template or pattern) stands for many destinations. */
export interface Source {
  readonly name: string | undefined
  readonly destination: string
}

/** Where deliveries come from one of any number of destinations, and no name stands for them. */
export const ANYWHERE = { name: undefined, destination: undefined }

/** What a subscription counts, sampled or not. */
export interface ProcessMeter {
  /** Whether anything counts at this moment. */
  counts(): boolean
  /** One delivery reaches the application; `queuedMs` is what it waited since its send, undefined where that is not known. */
  consumed(source: Source | typeof ANYWHERE, queuedMs: number | undefined, context: Context): void
  /** One attempt of a handler has ended. */
  processed(source: Source | typeof ANYWHERE, durationMs: number, error: unknown, context: Context): void
  /** What was asked for took so long to come. */
  received(source: Source, durationMs: number, context: Context): void
}

const PROCESS = { name: 'process', type: 'process' } as const

/** An SDK keeps 2,000 combinations of attributes a metric: routing keys and topics of devices would take them all. */
const MAX_SOURCES = 200

export function processMeter(
  { system, attributes }: Pick<Transport<never, never>, 'system' | 'attributes'>,
  subscriber: Pick<Subscriber, 'attributes'>,
  scope: Scope = APPLICATION,
  operation: { readonly name: string; readonly type: 'process' | 'receive' } = PROCESS,
): ProcessMeter {
  const group = subscriber.attributes['messaging.consumer.group.name']
  const fixed: Attributes = {
    'messaging.system': system,
    'messaging.operation.name': operation.name,
    'messaging.operation.type': operation.type,
    ...serverOf(attributes.connection),
    ...(group === undefined ? {} : { 'messaging.consumer.group.name': group }),
  }
  const places = new Map<string, (error: unknown) => Attributes>()
  function of({ name, destination }: Source | typeof ANYWHERE): (error: unknown) => Attributes {
    const key = name ?? destination ?? ''
    let found = places.get(key)
    if (found === undefined) {
      if (name === undefined && destination !== undefined && places.size >= MAX_SOURCES) return of(ANYWHERE)
      found = byError({ ...fixed, ...placeOf(destination, name) })
      places.set(key, found)
    }
    return found
  }
  return {
    counts: () => instrumentsOf(scope) !== undefined,
    consumed(source, queuedMs, context) {
      const counting = instrumentsOf(scope)
      if (counting === undefined) return
      const { consumedMessages, queueDuration, queueSkewed } = counting
      const dimensions = of(source)(undefined)
      consumedMessages.add(1, dimensions, context)
      if (queuedMs === undefined) return
      if (queuedMs < 0) queueSkewed.add(1, dimensions, context)
      else queueDuration.record(queuedMs / 1000, dimensions, context)
    },
    processed(source, durationMs, error, context) {
      instrumentsOf(scope)?.processDuration.record(durationMs / 1000, of(source)(error), context)
    },
    received(source, durationMs, context) {
      instrumentsOf(scope)?.operationDuration.record(durationMs / 1000, of(source)(undefined), context)
    },
  }
}

function placeOf(destination: string | undefined, template: string | undefined): Attributes {
  if (template !== undefined) return { 'messaging.destination.template': template }
  return destination === undefined ? {} : { 'messaging.destination.name': destination }
}

function serverOf(attributes: Attributes): Attributes {
  const kept: Attributes = {}
  for (const name of ['server.address', 'server.port']) {
    if (attributes[name] !== undefined) kept[name] = attributes[name]
  }
  return kept
}

const NO_ERROR = Symbol('no error')
/** An application's error codes may be anything; past so many they are one. */
const MAX_ERROR_TYPES = 100

/** Attribute objects are made once an error type and not at each message. */
function byError(attributes: Attributes): (error: unknown) => Attributes {
  const made = new Map<string | symbol, Attributes>([[NO_ERROR, attributes]])
  return (error) => {
    let type = error === undefined || error === null ? NO_ERROR : errorType(error)
    if (made.size > MAX_ERROR_TYPES && !made.has(type)) type = '_OTHER'
    let found = made.get(type)
    if (found === undefined) {
      found = { ...attributes, 'error.type': String(type) }
      made.set(type, found)
    }
    return found
  }
}
