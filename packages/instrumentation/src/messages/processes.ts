import { type Attributes, type Context, context as contexts, type SpanContext } from '@opentelemetry/api'
import { type CloudEvent, type Delivery, parseTraceparent, type Settlement } from '@throughline/core'
import {
  type BatchSpan,
  batchTracer,
  eventAttributes,
  type ProcessSpan,
  type ProcessTelemetry,
  processTracer,
  receiveTracer,
  type Scope,
} from '@throughline/core/tracing'
import { errorOf, guarded, guardedHook } from '../guard.ts'
import type { ClientInstrumentationConfig } from '../options.ts'
import { ignores, templateOf } from './destinations.ts'
import { eventInBody, eventInHeaders, eventOf } from './event.ts'
import { type HandledMessage, withHandled } from './handled.ts'
import type { Client } from './system.ts'

/** One message that a client hands to the application. */
export interface Arrived {
  readonly delivery: Delivery
  /** The client's own object: what the handler is given. */
  readonly own: object
  /** A loop's: what the application does for it cannot be run in its context, which `messageContext` gives. */
  readonly isLooped?: boolean
  /** The attempt at it before this one, in this process. */
  readonly previous?: ProcessSpan['span'] | undefined
}

/** A handler's run. */
export interface Processing {
  readonly process: ProcessSpan
  /** To run the handler in. */
  readonly context: Context
  /** Ends the span. `failure`: what the handler threw, undefined where it returned. */
  end(failure?: unknown, outcome?: Settlement['outcome']): void
}

/** Starts the spans of what one client hands to the application. Undefined: not traced. Never throws. */
export interface Processes {
  one(arrived: Arrived): Processing | undefined
  /** Messages that one handler gets together. */
  batch(arrived: readonly Arrived[]): Processing | undefined
  /** A message that the application asked for, `startMs` when: its span is over when it gets it. */
  received(arrived: Arrived, startMs: number, active: Context): void
}

/** Contexts of messages that are handled, by the client's own objects. */
const contextsOf = new WeakMap<object, Context>()

/**
 * The context of one message of a batch, or of a stream that a loop reads: for what the application does on its behalf,
 * `context.with(messageContext(message), …)`. The active context for a message that is not traced.
 */
export function messageContext(message: object): Context {
  return contextsOf.get(message) ?? contexts.active()
}

/** Whether a message has been handed over before, to what may be a loop. */
export function wasHandedOver(message: object): boolean {
  return contextsOf.has(message)
}

/** A client may read from any number of destinations. */
const MAX_TEMPLATES = 1000

/** Core's rules for handling, for one client of the application's. `attributes`: of all its deliveries, its group. */
export function createProcesses(
  { system, connection }: Client,
  attributes: Attributes,
  config: ClientInstrumentationConfig,
  scope: Scope,
): Processes {
  const { linkage, trust, delayAfterMs, capture, consumerHook } = config
  const transport = { system: system.name, attributes: { ...system.attributes, connection } }
  const isIgnored = ignores(config.ignore)
  const shared: ProcessTelemetry = {
    ...(linkage === undefined ? {} : { linkage }),
    ...(trust === undefined ? {} : { trust }),
    ...(delayAfterMs === undefined ? {} : { delayAfterMs }),
    ...(capture === undefined ? {} : { capture }),
  }
  const startProcess = processTracer(transport, { attributes }, shared, scope)
  const startBatch = batchTracer(transport, { attributes }, shared, scope)
  const { receiveOperation = 'receive' } = system
  const startReceive = receiveTracer(transport, { attributes }, shared, receiveOperation, scope)
  const templates = new Map<string, string | undefined>()

  /** A template stands where a subscription's pattern would: both are the low-cardinality name. */
  function named(delivery: Delivery): Delivery {
    if (config.template === undefined) return delivery
    const { destination } = delivery.position
    if (!templates.has(destination)) {
      if (templates.size >= MAX_TEMPLATES) templates.clear()
      templates.set(destination, templateOf(config, destination))
    }
    const pattern = templates.get(destination)
    return pattern === undefined ? delivery : { ...delivery, position: { ...delivery.position, pattern } }
  }

  function hooked({ span }: Pick<ProcessSpan, 'span'>, { delivery, own }: Arrived): void {
    if (consumerHook === undefined || !span.isRecording()) return
    const { destination } = delivery.position
    guardedHook('consumerHook', () => consumerHook(span, { destination, message: own }))
  }

  function one(arrived: Arrived): Processing | undefined {
    const { delivery, own, previous, isLooped = false } = arrived
    const { message, position } = delivery
    if (isIgnored(position.destination)) return undefined
    const event = eventInHeaders(message.headers, system.eventHeaders)
    const process = startProcess({
      delivery: named(delivery),
      event,
      attempt: delivery.attempt,
      previous: previous?.spanContext(),
    })
    if (event === undefined && process.span.isRecording()) tellBody(process, delivery)
    const context = withHandled(process.context, handledOf(process.hop?.spanContext, delivery))
    // A weak map is dear to the garbage collector, and a handler has its context anyway.
    if (isLooped) contextsOf.set(own, context)
    hooked(process, arrived)
    return processing(process, context)
  }

  /** Of an event in structured mode: its body is parsed for spans that record alone. */
  function tellBody({ span, hop }: ProcessSpan, { message }: Delivery): void {
    const event = eventInBody(message.contentType, message.body)
    if (event === undefined) return
    span.setAttributes(eventAttributes(event))
    if (message.properties?.messageId === undefined) span.setAttribute('messaging.message.id', event.id)
    const origin = trust === 'ignore' ? undefined : parseTraceparent(textIn(event, 'traceparent'))
    if (origin !== undefined && origin.spanId !== hop?.spanContext?.spanId) {
      span.addLink({ context: origin, attributes: { origin: true } })
    }
  }

  function batch(arrived: readonly Arrived[]): Processing | undefined {
    const [first] = arrived
    if (first === undefined || arrived.every(({ delivery }) => isIgnored(delivery.position.destination)))
      return undefined
    const process: BatchSpan = startBatch({
      members: arrived.map(({ delivery }) => ({
        delivery: named(delivery),
        event: eventOfDelivery(delivery),
      })),
      attempt: first.delivery.attempt,
      previous: first.previous?.spanContext(),
    })
    const handled = new Map<string, Context>()
    for (const [index, { own, delivery }] of arrived.entries()) {
      const hop = process.hopOf(index)?.spanContext
      const context = withHandled(process.contextOf(index), handledOf(hop, delivery))
      contextsOf.set(own, context)
      if (hop !== undefined) handled.set(hop.spanId, context)
    }
    hooked(process, first)
    return processing(process, withHandled(process.context, handled))
  }

  function eventOfDelivery({ message: { headers, contentType, body } }: Delivery): CloudEvent | undefined {
    return eventOf(headers, contentType, body, system.eventHeaders)
  }

  function received(arrived: Arrived, startMs: number, active: Context): void {
    const { delivery, own } = arrived
    if (isIgnored(delivery.position.destination)) return
    const event = eventOfDelivery(delivery)
    const receive = startReceive({ delivery: named(delivery), event, startMs, active })
    contextsOf.set(own, withHandled(receive.context, handledOf(receive.hop.spanContext, delivery)))
    hooked(receive, arrived)
    receive.end()
  }

  function processing(process: ProcessSpan, context: Context): Processing {
    return {
      process,
      context,
      end(failure, outcome) {
        guarded('the end of a process span', () =>
          process.end(failure === undefined ? null : errorOf(failure), outcome),
        )
      },
    }
  }

  return {
    one: (arrived) => guarded('the start of a process span', () => one(arrived)),
    batch: (arrived) => guarded('the start of a process span', () => batch(arrived)),
    received: (arrived, startMs, active) =>
      guarded('a receive span', () => received(arrived, startMs, active)),
  }
}

function handledOf(hop: SpanContext | undefined, { message }: Delivery): HandledMessage | undefined {
  return hop === undefined ? undefined : { hop, headers: message.headers }
}

function textIn(event: CloudEvent, name: string): string | undefined {
  const value = event[name]
  return typeof value === 'string' ? value : undefined
}

type Outcome = Settlement['outcome'] | undefined

/** What a handler's end means to its client. It is read when the handler has ended: it may be a getter. */
export interface Outcomes {
  /** What the client does with a message whose handler returned; undefined where the application has yet to say. */
  readonly returned?: Outcome | ((value: unknown) => Outcome)
  readonly threw?: Outcome
  /**
   * Whether the client awaits what the handler gives. Where it does not, only a real promise is followed: the `then` of
   * something else, a query that has been built, may do what nobody asked for.
   */
  readonly awaits?: boolean
  readonly onEnd?: (failed: boolean) => void
}

/**
 * Runs a handler in its context and ends its span when it returns, throws, or the promise that it gave is settled; what
 * it gave or threw goes on as it is.
 */
export function runHandler<Result>(
  processing: Processing,
  run: () => Result,
  outcomes: Outcomes = {},
): Result {
  const failed = (error: unknown) =>
    guarded("a handler's failure", () => {
      processing.end(error ?? errorOf(error), outcomes.threw)
      outcomes.onEnd?.(true)
    })
  const done = (value: unknown) =>
    guarded("a handler's end", () => {
      const { returned } = outcomes
      processing.end(undefined, typeof returned === 'function' ? returned(value) : returned)
      outcomes.onEnd?.(false)
    })
  let result: Result
  try {
    result = contexts.with(processing.context, run)
  } catch (error) {
    failed(error)
    throw error
  }
  if (!isPromise(result, outcomes.awaits ?? false)) {
    done(result)
    return result
  }
  // The promise that follows, of the kind that it was: one beside it would make a rejection that nobody handles a handled one.
  return result.then(
    (value: unknown) => {
      done(value)
      return value
    },
    (error: unknown) => {
      failed(error)
      throw error
    },
  ) as Result
}

function isPromise(value: unknown, isAwaited: boolean): value is PromiseLike<unknown> {
  if (value instanceof Promise) return true
  return (
    isAwaited &&
    typeof value === 'object' &&
    value !== null &&
    'then' in value &&
    typeof value.then === 'function'
  )
}
