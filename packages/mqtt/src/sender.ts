import {
  asUnavailable,
  createLinkedList,
  PermanentError,
  type PublishResult,
  type ThroughlineError,
  UnavailableError,
} from '@throughline/core'
import type { IPublishPacket } from 'mqtt'
import { type Connection, startConnection } from './connection.ts'
import { type Attributes, mqttAttributes } from './delivery.ts'
import { clientIdOf, type Endpoint } from './options.ts'
import { fitsPacket, MAX_PACKET_BYTES, publishBytes } from './packet-size.ts'
import { publishError, TAKEN_OVER_CODE } from './reason.ts'
import { createRivalry } from './rivalry.ts'
import { willOf } from './will.ts'

/** What goes to the broker: a PUBLISH without its packet identifier. */
export type Outgoing = Pick<IPublishPacket, 'topic' | 'payload' | 'qos' | 'retain'> & {
  readonly properties: NonNullable<IPublishPacket['properties']>
}

/** The connection that all publishers of a transport share: one client id, one window. */
export interface Sender {
  open(): Promise<void>
  /** Sends in the order of the calls; each `done` is called once, when the message is confirmed or cannot be. */
  send(packet: Outgoing, done: (result: PublishResult) => void): Sending
  /** Disconnects; the next `open` connects again. */
  close(): Promise<void>
}

/** A message on its way. */
export interface Sending {
  /** Gives it up with this error: it is not sent any more, or its confirmation no longer waited for. */
  abandon(error: ThroughlineError): void
}

interface Entry extends Sending {
  readonly packet: Outgoing
  finish(result: PublishResult): void
}

const SENT = Symbol('throughline.mqtt.sent')
/** Without a word from the broker: all packet identifiers there are (MQTT 5 §3.2.2.3.3). */
const MAX_IN_FLIGHT = 65_535

export function createSender(endpoint: Endpoint): Sender {
  const clientId = clientIdOf(endpoint, 'pub')
  const rivalry = createRivalry(endpoint.address, clientId)
  const waiting = new Set<Entry>()
  const inFlight = createLinkedList<Entry>()
  let connecting: Promise<void> | null = null
  let connection: Connection | null = null
  let takenOver: ThroughlineError | null = null
  const delaySeconds = endpoint.will?.delaySeconds ?? 0
  let clean = true

  async function connect(): Promise<void> {
    const will = endpoint.will === undefined ? {} : { will: willOf(endpoint.will, endpoint) }
    const started = startConnection(endpoint, {
      clientId,
      clean,
      sessionExpirySeconds: delaySeconds,
      onEnd,
      ...will,
    })
    await started.opened
    rivalry.accepted()
    started.requireUp()
    connection = started
  }

  function onEnd(cause: ThroughlineError): void {
    const error = rivalry.judge(cause)
    // The end of a session publishes a will that is to wait, so the session is resumed; but not one in which a QoS 2
    // message is left: a new message under its packet identifier would be taken for it.
    if (connection !== null)
      clean = delaySeconds === 0 || [...inFlight].some(({ packet }) => packet.qos === 2)
    connecting = null
    connection = null
    if (error.code === TAKEN_OVER_CODE) takenOver = error
    const unconfirmed = [...inFlight.clear(), ...waiting]
    waiting.clear()
    // Unconfirmed is never final for the message itself: it may be sent again once there is a connection.
    const unavailable = asUnavailable(error)
    for (const entry of unconfirmed) entry.finish({ ok: false, error: unavailable })
  }

  // The same promise for all who wait, so that their messages follow in the order of their calls.
  function open(): Promise<void> {
    if (takenOver !== null) return Promise.reject(takenOver)
    connecting ??= connect()
    return connecting
  }

  function send(packet: Outgoing, done: (result: PublishResult) => void): Sending {
    let isDone = false
    function finish(result: PublishResult): void {
      if (isDone) return
      isDone = true
      done(result)
    }
    function abandon(error: ThroughlineError): void {
      waiting.delete(entry)
      // In flight it keeps its place: its packet identifier is taken until the broker answers.
      finish({ ok: false, error })
    }
    const entry: Entry = { packet, finish, abandon }
    if (connection !== null && waiting.size === 0 && inFlight.size < windowOf(connection)) {
      transmit(connection, entry)
    } else {
      waiting.add(entry)
      sendWaiting()
    }
    return entry
  }

  function sendWaiting(): void {
    if (connection === null) {
      refuseWaiting()
      return
    }
    for (const entry of waiting) {
      if (inFlight.size >= windowOf(connection)) return
      waiting.delete(entry)
      transmit(connection, entry)
    }
  }

  /** Sends it, unless the broker has announced that it would not take it. */
  function transmit({ client }: Connection, entry: Entry): void {
    const refused = refusal(entry.packet, client.serverProperties ?? {}, endpoint.topicAliases)
    if (refused !== null) {
      entry.finish({ ok: false, error: refused })
      return
    }
    const { topic, payload, qos, retain, properties } = entry.packet
    const place = inFlight.add(entry)
    client.publish(topic, payload, { qos, retain, properties }, (error, confirmed) => {
      if (!inFlight.remove(place)) return
      entry.finish(error ? { ok: false, error: publishError(topic, error) } : sent(entry.packet, confirmed))
      if (waiting.size > 0) sendWaiting()
    })
  }

  function refuseWaiting(): void {
    const error = new UnavailableError(`the connection to ${endpoint.address} was lost`)
    for (const entry of waiting) entry.abandon(error)
  }

  async function close(): Promise<void> {
    await connecting?.catch(() => undefined)
    await connection?.close(delaySeconds > 0)
  }

  return { open, send, close }
}

/** Mosquitto breaks the connection of a client that exceeds it; MQTT.js does not look at it. */
function windowOf({ client }: Connection): number {
  return client.serverProperties?.receiveMaximum ?? MAX_IN_FLIGHT
}

/** OpenTelemetry's attributes of a message that was confirmed. */
export function sentAttributes(result: PublishResult): Attributes {
  return isSent(result) ? result[SENT] : {}
}

type Sent = PublishResult & { readonly [SENT]: Attributes }

function sent({ qos, retain }: Outgoing, confirmed: { messageId?: number } | undefined): Sent {
  return { ok: true, [SENT]: mqttAttributes(qos, retain, confirmed?.messageId) }
}

function isSent(result: PublishResult): result is Sent {
  return SENT in result
}

/** What the broker announced that it will not take; sending it would break the connection for all messages. */
function refusal(
  packet: Outgoing,
  limits: { maximumQoS?: number; retainAvailable?: boolean; maximumPacketSize?: number },
  topicAliases: boolean,
): PermanentError | null {
  const { maximumQoS = 2, retainAvailable = true, maximumPacketSize = MAX_PACKET_BYTES } = limits
  if (packet.qos > maximumQoS)
    return new PermanentError(
      `the broker takes QoS ${maximumQoS} at most, the publisher has qos ${packet.qos}`,
    )
  if (packet.retain && !retainAvailable)
    return new PermanentError('the broker keeps no retained messages, the publisher has retain: true')
  // At most: a topic that is known by its number takes less.
  const properties = topicAliases ? { ...packet.properties, topicAlias: 1 } : packet.properties
  const sent = { ...packet, properties }
  if (fitsPacket(sent, maximumPacketSize)) return null
  const bytes = publishBytes(sent)
  const message = `the message to "${packet.topic}" takes ${bytes} bytes, the broker accepts ${maximumPacketSize} at most`
  return new PermanentError(message, { code: 'TL_TOO_LARGE' })
}
