import {
  createInbox,
  type Delivery,
  type Inbox,
  PermanentError,
  type Settlement,
  type Subscriber,
  UnavailableError,
} from '@throughline/core'
import { ErrorWithSubackPacket } from 'mqtt'
import { type AckGate, gateAcks } from './ack-gate.ts'
import { type Connection, startConnection } from './connection.ts'
import { deliveryOf, heldOf, type MqttDelivery } from './delivery.ts'
import { type Endpoint, requireInteger, requireMqtt5 } from './options.ts'
import { subscribeError, TAKEN_OVER_CODE } from './reason.ts'
import { createRivalry } from './rivalry.ts'
import { validateFilter, validateShare } from './topic.ts'

/** Which topics, and what the broker keeps for this client. */
export interface MqttSubscriberOptions {
  /** Topic filters: `sensors/+/reading`, `alerts/#`. The session keeps filters of earlier runs that are no longer here. */
  readonly topics: readonly string[]
  /** Highest quality of service: 0 may lose, 1 and 2 deliver at least once. Default 1. */
  readonly qos?: 0 | 1 | 2
  /** Subscribers with the same share split the messages between them (`$share/<share>/<filter>`); no order is kept then. */
  readonly share?: string
  /** Part of the client id, `<clientId>-sub-<session>`: each subscriber of one `clientId` needs its own, or none for one of them. */
  readonly session?: string
  /** Unacknowledged messages at which reading stops, also what the broker is told (Receive Maximum). Default 256. */
  readonly window?: number
  /** Bytes of unacknowledged payloads at which reading stops too. Default 64 MiB. */
  readonly windowBytes?: number
  /** How long the broker keeps messages for this client while it is away; MQTT 5. Default 86 400 with a given clientId, else 300. */
  readonly sessionExpirySeconds?: number
  /**
   * Begin each connection with an empty session, losing what came while away. Default false; over MQTT 3.1.1 without a
   * given clientId true, because nothing would ever end the session there.
   */
  readonly clean?: boolean
  /** Which retained messages come at a connection: all, those of filters that are new to the session, or none. MQTT 5. Default `new`. */
  readonly retainHandling?: 'always' | 'new' | 'never'
  /** Messages keep the retain flag they were published with; else only those from before the subscription have it. MQTT 5. Default false. */
  readonly retainAsPublished?: boolean
  /** For how many topics the broker may send a number in place of the name, 0 to 65 535; MQTT 5. Default 0. */
  readonly topicAliasMaximum?: number
}

/** One connection's worth of reading. */
interface Link {
  readonly connection: Connection
  readonly gate: AckGate
  readonly inbox: Inbox<MqttDelivery>
}

const MQTT5_OPTIONS = [
  'sessionExpirySeconds',
  'retainHandling',
  'retainAsPublished',
  'topicAliasMaximum',
] as const
/** Retain Handling (MQTT 5 §3.8.3.1). */
const RETAIN_HANDLING = { always: 0, new: 1, never: 2 } as const
const GENERATED_SESSION_SECONDS = 300
const FIXED_SESSION_SECONDS = 86_400

/** Subscriber as `clientId`; `onClose` says that the id is free again. Throws PermanentError for options that cannot work. */
export function mqttSubscriber(
  endpoint: Endpoint,
  clientId: string,
  options: MqttSubscriberOptions,
  onClose: () => void,
): Subscriber {
  const { address, protocolVersion, envelope, isFixed, connectTimeoutMs } = endpoint
  const { topics, qos = 1, share, window = 256, windowBytes = 64 * 1024 * 1024 } = options
  const { clean = protocolVersion === 4 && !isFixed } = options
  const { retainHandling = 'new', retainAsPublished = false, topicAliasMaximum = 0 } = options
  for (const name of MQTT5_OPTIONS) requireMqtt5(endpoint, name, options[name])
  const { sessionExpirySeconds = isFixed ? FIXED_SESSION_SECONDS : GENERATED_SESSION_SECONDS } = options
  if (topics.length === 0)
    throw new PermanentError('MQTT options: topics: must name at least one topic filter')
  topics.forEach(validateFilter)
  if (share !== undefined) validateShare(share)
  requireInteger('window', window, 1, 65_535)
  requireInteger('windowBytes', windowBytes, 1, Number.MAX_SAFE_INTEGER)
  requireInteger('sessionExpirySeconds', sessionExpirySeconds, 0, 2 ** 32 - 1)
  requireInteger('topicAliasMaximum', topicAliasMaximum, 0, 65_535)
  const subscriptions = topics.map((topic) => (share === undefined ? topic : `$share/${share}/${topic}`))
  const rivalry = createRivalry(address, clientId)
  const closing = new AbortController()
  let linking: Promise<Link> | null = null
  let current: Link | null = null
  let takenOver: Error | null = null
  let closed: Promise<void> | null = null

  async function link(): Promise<Link> {
    if (closing.signal.aborted) throw new PermanentError('the subscriber is closed')
    if (takenOver !== null) throw takenOver
    linking ??= connectLink()
    return linking
  }

  async function connectLink(): Promise<Link> {
    const inbox = createInbox<MqttDelivery>()
    const life = new AbortController()
    const full = Promise.withResolvers<void>()
    const connection = startConnection(endpoint, {
      clientId,
      clean,
      sessionExpirySeconds: clean ? 0 : sessionExpirySeconds,
      receiveMaximum: window,
      ...(topicAliasMaximum === 0 ? {} : { topicAliasMaximum }),
      onEnd: (cause) => {
        const error = rivalry.judge(cause)
        linking = null
        current = null
        if (error.code === TAKEN_OVER_CODE) takenOver = error
        gate.stop()
        inbox.end(closing.signal.aborted ? undefined : error)
        life.abort(error)
      },
    })
    // In the same turn: a resumed session delivers right behind the broker's CONNACK.
    const gate = gateAcks(connection.client, {
      window,
      windowBytes,
      onMessage: (held) => inbox.push(deliveryOf(held, { filters: topics, envelope, signal: life.signal })),
      onFull: full.resolve,
      onBypass: connection.fail,
    })
    await withinLimit(connection, async () => {
      await connection.opened
      rivalry.accepted()
      // A resumed session fills the window in front of SUBACK, which is not read before something is settled.
      await Promise.race([subscribe(connection), full.promise])
    })
    connection.requireUp()
    current = { connection, gate, inbox }
    return current
  }

  /** Fails the connection when the subscriber is closed or the time is up before `task` is done. */
  async function withinLimit({ fail }: Connection, task: () => Promise<void>): Promise<void> {
    const giveUp = () => fail(new UnavailableError(`${address} did not accept the subscription in time`))
    const timer = setTimeout(giveUp, connectTimeoutMs)
    closing.signal.addEventListener('abort', giveUp)
    try {
      await task()
    } finally {
      clearTimeout(timer)
      closing.signal.removeEventListener('abort', giveUp)
    }
  }

  async function subscribe({ client, fail }: Connection): Promise<void> {
    try {
      const rh = RETAIN_HANDLING[retainHandling]
      const granted = await client.subscribeAsync(subscriptions, { qos, rh, rap: retainAsPublished })
      for (const { topic, qos: given } of granted) requireGranted(topic, given)
    } catch (cause) {
      const error = subscribeFailure(cause)
      fail(error)
      throw error
    }
  }

  function subscribeFailure(cause: unknown) {
    if (cause instanceof PermanentError) return cause
    const granted = cause instanceof ErrorWithSubackPacket ? subackCodes(cause) : []
    for (const [index, code] of granted.entries()) {
      if (typeof code === 'number' && code >= 128)
        return subscribeError(subscriptions[index] ?? '', code, protocolVersion)
    }
    const message = `the connection to ${address} was lost while subscribing`
    return new UnavailableError(message, { cause })
  }

  /** Less than asked would lose messages without a word. */
  function requireGranted(filter: string, granted: number): void {
    if (granted >= Math.min(qos, 1)) return
    throw new PermanentError(
      `${address} grants QoS ${granted} for "${filter}", asked was ${qos}: messages could be lost; set qos: 0 if they may`,
      { code: 'TL_MQTT_REFUSED' },
    )
  }

  async function* deliveries(signal?: AbortSignal): AsyncGenerator<readonly Delivery[]> {
    if (closing.signal.aborted || signal?.aborted) return
    const { inbox } = await link()
    for (;;) {
      const arrived = await inbox.take(signal)
      if (arrived === null) return
      yield arrived
    }
  }

  async function settle(deliveries: readonly Delivery[], { outcome }: Settlement): Promise<void> {
    const held = deliveries.map(heldOf).filter((each) => each !== undefined)
    // MQTT has no negative acknowledgement: what is rejected is acknowledged, what is released is not.
    current?.gate.settle(held, outcome !== 'release')
  }

  async function finish(): Promise<void> {
    const opened = linking
    closing.abort()
    try {
      const link = await opened
      link?.gate.stop()
      link?.inbox.end()
      // Nobody can come back with an id that was made up.
      await link?.connection.close(!isFixed)
    } catch {
      // It was not connected, or has just lost the connection: nothing is left to be closed.
    } finally {
      onClose()
    }
  }

  return {
    attributes: {
      'messaging.client.id': clientId,
      ...(share === undefined ? {} : { 'messaging.consumer.group.name': share }),
    },
    open: async () => void (await link()),
    deliveries,
    settle,
    close() {
      closed ??= finish()
      return closed
    },
  }
}

/** MQTT.js leaves the packet out, whatever its types say, when the connection ended instead of an answer. */
function subackCodes({ packet }: { readonly packet?: ErrorWithSubackPacket['packet'] }): readonly unknown[] {
  return packet?.granted ?? []
}
