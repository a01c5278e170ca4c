import { errorOf, guarded } from '../guard.ts'
import { ClientInstrumentation, type Supported, type Tracing } from '../instrumentation.ts'
import { headersOf } from '../messages/headers.ts'
import { callListeners, follow } from '../messages/listeners.ts'
import type { Processing } from '../messages/processes.ts'
import type { ClientInstrumentationConfig } from '../options.ts'
import type { Method } from '../patches.ts'
import type { Received } from '../systems/mqtt.ts'
import type { TopicPlace } from '../systems/topic-filters.ts'
import { createTracedClients, type MqttClient, type MqttPacket, type TracedClient } from './mqtt-client.ts'
import { createHandling, followHandleMessage } from './mqtt-handling.ts'
import { endUnconfirmed, tracedPublish } from './mqtt-publish.ts'

/**
 * MQTT.js: `publish` and `publishAsync`, listeners for `message`, and a `handleMessage` of the application's own. See
 * docs/instrumentation/mqtt.md.
 */
export class MqttInstrumentation extends ClientInstrumentation {
  protected supported(): Supported {
    return { client: 'mqtt', from: '4.3.8', before: 6 }
  }

  protected patch(module: unknown, tracing: Tracing<ClientInstrumentationConfig>): void {
    // Imported or required, from either of the names that it has, it is the same class.
    const { MqttClient, default: ofDefault } = Object(module) as MqttModule
    const prototype = (MqttClient ?? ofDefault?.MqttClient)?.prototype
    if (prototype !== undefined) patchClient(prototype, tracing)
  }
}

interface MqttModule {
  readonly MqttClient?: { readonly prototype: MqttClient }
  readonly default?: MqttModule
}

/** Wraps the methods that all clients have in common. What a client emits, it emits through `emit`: nothing is listened to. */
function patchClient(prototype: MqttClient, tracing: Tracing<ClientInstrumentationConfig>): void {
  const { patches } = tracing
  const clients = createTracedClients(tracing)
  const { handleMessage: byDefault } = prototype

  patches.wrap(prototype, 'publish', (publish) => tracedPublish(publish, clients))

  patches.wrap(
    prototype,
    'subscribe',
    (subscribe) =>
      function (...args) {
        guarded('MQTT.js subscribe', () => clients.of(this).filters.add(filtersOf(args[0])))
        return subscribe.apply(this, args)
      },
  )

  patches.wrap(
    prototype,
    'unsubscribe',
    (unsubscribe) =>
      function (...args) {
        guarded('MQTT.js unsubscribe', () => clients.of(this).filters.remove(filtersOf(args[0])))
        return unsubscribe.apply(this, args)
      },
  )

  patches.wrap(
    prototype,
    'end',
    (end) =>
      function (...args) {
        const returned = end.apply(this, args)
        // Between two connections nothing follows, and MQTT.js may wait for confirmations for ever.
        if (isOffline(this)) guarded('MQTT.js end', () => endUnconfirmed(this, clients))
        return returned
      },
  )

  patches.wrap(
    prototype,
    'emit',
    (emit) =>
      function (...args) {
        const [event] = args
        if (event === 'message') return emitMessage(this, emit, args)
        if (event === 'packetreceive' && isNewSession(args[1])) clients.known(this)?.attempts.forget()
        if (event === 'end' || (event === 'close' && this.disconnecting)) {
          guarded('MQTT.js end', () => endUnconfirmed(this, clients))
        }
        return emit.apply(this, args)
      },
  )

  /** The event of a message, with its listeners in the message's context. */
  function emitMessage(client: MqttClient, emit: Method, args: unknown[]): unknown {
    const isFollowed = client.handleMessage !== byDefault
    if (!isFollowed && client.listenerCount('message') === 0) return emit.apply(client, args)
    // There another instrumentation would trace messages; on one client alone an application binds contexts.
    if (patches.isLeftToAnother(prototype, 'on', 'handleMessage')) return emit.apply(client, args)
    const started = guarded('MQTT.js message', () => startProcess(clients.of(client), args))
    if (started === undefined) return emit.apply(client, args)
    const { processing, acknowledges, end } = started
    const { context } = processing
    let called: ReturnType<typeof callListeners>
    try {
      called = callListeners(client, emit, args, context)
    } catch (error) {
      // MQTT.js does not come to its acknowledgement.
      end(error ?? errorOf(error), acknowledges ? 'release' : undefined)
      throw error
    }
    const { isHeard, promises } = called
    const outcome = acknowledges ? 'accept' : undefined
    if (promises.length === 0 && !isFollowed) {
      end(undefined, outcome)
      return isHeard
    }
    const handling = createHandling(outcome, end)
    const parts = promises.map((promise) => ({ promise, done: handling.part() }))
    if (isFollowed) followHandleMessage(client, context, acknowledges, handling.part())
    for (const { promise, done } of parts) follow([promise], done)
    return isHeard
  }
}

/** One message that arrived: its span, whether MQTT acknowledges it, and what ends the span. */
interface Started {
  readonly processing: Processing
  readonly acknowledges: boolean
  readonly end: Processing['end']
}

/** A packet identifier is a place that has one message at a time in a session: until it is acknowledged. */
const THE_MESSAGE = { first: 0n, last: 0n }

/** Of the event's arguments: topic, payload and packet. */
function startProcess(
  { processes, filters, attempts }: TracedClient,
  [, topic, , packet]: readonly unknown[],
): Started | undefined {
  if (typeof topic !== 'string' || !isPublish(packet)) return undefined
  const place = String(packet.messageId)
  // At QoS 2 what is sent again is the PUBREL, which says nothing of it (MQTT 5 §4.4).
  const isAgain = packet.dup || packet.qos === 2
  const before = isAgain ? attempts.before(place, THE_MESSAGE) : undefined
  const processing = processes.one({
    delivery: deliveryOf(topic, packet, filters.placeOf(topic), (before?.attempt ?? 0) + 1),
    own: packet,
    // A listener may feed a loop or a queue; which, cannot be told.
    isLooped: true,
    previous: before?.span,
  })
  if (processing === undefined) return undefined
  const acknowledges = packet.qos > 0
  return {
    processing,
    acknowledges,
    end(failure, outcome) {
      processing.end(failure, outcome)
      // What is acknowledged does not come again, whatever became of it.
      if (acknowledges)
        attempts.note(place, THE_MESSAGE, outcome === 'release' ? processing.process.span : undefined)
    },
  }
}

function deliveryOf(topic: string, packet: MqttPacket, place: TopicPlace, attempt: number): Received {
  const { payload, dup, properties } = packet
  const contentType = properties?.contentType
  return {
    message: {
      headers: headersOf(properties?.userProperties),
      body: typeof payload === 'string' ? Buffer.from(payload) : payload,
      ...(contentType === undefined ? {} : { contentType }),
    },
    position: { destination: topic, ...place.position },
    attempt,
    redelivered: dup,
    packet,
    group: place.group,
  }
}

/** The broker has kept nothing of a session before: its packet identifiers begin anew. */
function isNewSession(packet: unknown): boolean {
  const { cmd, sessionPresent } = Object(packet) as {
    readonly cmd?: unknown
    readonly sessionPresent?: unknown
  }
  return cmd === 'connack' && sessionPresent !== true
}

function isPublish(packet: unknown): packet is MqttPacket {
  return typeof packet === 'object' && packet !== null && 'cmd' in packet && packet.cmd === 'publish'
}

/** The filters of `subscribe` and `unsubscribe`: one, several, or an object that has options for each. */
function filtersOf(filters: unknown): readonly string[] {
  if (typeof filters === 'string') return [filters]
  if (Array.isArray(filters)) return filters.filter((filter) => typeof filter === 'string')
  return typeof filters === 'object' && filters !== null ? Object.keys(filters) : []
}

/** Whether it has no connection, and none is being made. */
function isOffline({ disconnecting, stream }: MqttClient): boolean {
  return disconnecting && (stream === undefined || stream.destroyed === true)
}
