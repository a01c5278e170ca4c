import { type Attributes, type Context, context as contexts } from '@opentelemetry/api'
import type { Delivery, Settlement } from '@throughline/core'
import {
  type BatchSpan,
  batchTracer,
  type ProcessSpan,
  type ProcessTelemetry,
  processTracer,
  type Scope,
} from '@throughline/core/tracing'
import { eventOf } from './event.ts'
import { guarded } from './guard.ts'
import type { ClientInstrumentationConfig } from './options.ts'
import { ignores, templateOf, withHandled } from './sends.ts'
import type { Client } from './system.ts'

/** One message that a client hands to the application. */
export interface Arrived {
  readonly delivery: Delivery
  /** The client's own object: what the handler is given. */
  readonly own: object
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

  function hooked(process: ProcessSpan, { delivery, own }: Arrived): void {
    if (consumerHook === undefined || !process.span.isRecording()) return
    const { destination } = delivery.position
    guarded('consumerHook', () => consumerHook(process.span, { destination, message: own }))
  }

  function eventOfDelivery({ message: { headers, contentType, body } }: Delivery) {
    return eventOf(headers, contentType, body, system.eventHeaders)
  }

  function one(arrived: Arrived): Processing | undefined {
    const { delivery, own, previous } = arrived
    if (isIgnored(delivery.position.destination)) return undefined
    const process = startProcess({
      delivery: named(delivery),
      event: eventOfDelivery(delivery),
      attempt: delivery.attempt,
      previous: previous?.spanContext(),
    })
    const context = withHandled(process.context, process.hop?.spanContext)
    contextsOf.set(own, context)
    hooked(process, arrived)
    return processing(process, context)
  }

  function batch(arrived: readonly Arrived[]): Processing | undefined {
    const [first] = arrived
    if (first === undefined || arrived.every(({ delivery }) => isIgnored(delivery.position.destination)))
      return undefined
    const members = arrived.map(({ delivery }) => ({
      delivery: named(delivery),
      event: eventOfDelivery(delivery),
    }))
    const process: BatchSpan = startBatch({
      members,
      attempt: first.delivery.attempt,
      previous: first.previous?.spanContext(),
    })
    for (const [index, { own }] of arrived.entries()) contextsOf.set(own, process.contextOf(index))
    hooked(process, first)
    return processing(process, process.context)
  }

  function processing(process: ProcessSpan, context: Context): Processing {
    return {
      process,
      context,
      end(failure, outcome) {
        guarded('the end of a process span', () => process.end(errorOf(failure), outcome))
      },
    }
  }

  return {
    one: (arrived) => guarded('the start of a process span', () => one(arrived)),
    batch: (arrived) => guarded('the start of a process span', () => batch(arrived)),
  }
}

function errorOf(failure: unknown): Error | null {
  if (failure === undefined) return null
  return failure instanceof Error ? failure : new Error(String(failure))
}

/** What a handler's end means to its client. */
export interface Outcomes {
  /** What the client does with a message whose handler returned; undefined where the application has yet to say. */
  readonly returned?: Settlement['outcome'] | undefined
  readonly threw?: Settlement['outcome'] | undefined
  readonly onEnd?: (failed: boolean) => void
}

/**
 * Runs a handler in its context and ends its span when it returns, throws, or the promise that it gave is settled; what
 * it gave or threw goes on as it is.
 */
export function runHandler<Result>(
  { context, end }: Processing,
  run: () => Result,
  { returned, threw, onEnd }: Outcomes = {},
): Result {
  const failed = (error: unknown) => {
    end(error ?? new Error(String(error)), threw)
    onEnd?.(true)
  }
  const done = () => {
    end(undefined, returned)
    onEnd?.(false)
  }
  let result: Result
  try {
    result = contexts.with(context, run)
  } catch (error) {
    failed(error)
    throw error
  }
  if (!isPromise(result)) {
    done()
    return result
  }
  // The promise that follows, of the kind that it was: one beside it would make a rejection that nobody handles a handled one.
  return result.then(
    (value: unknown) => {
      done()
      return value
    },
    (error: unknown) => {
      failed(error)
      throw error
    },
  ) as Result
}

function isPromise(value: unknown): value is PromiseLike<unknown> {
  return typeof value === 'object' && value !== null && 'then' in value && typeof value.then === 'function'
}
