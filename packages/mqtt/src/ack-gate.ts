import { PermanentError, type ThroughlineError } from '@throughline/core'
import type { IPublishPacket, MqttClient, Packet } from 'mqtt'
import { createAliases } from './topic-alias.ts'

/**
 * Holds back MQTT.js's acknowledgements until deliveries are settled, and sends them in receipt order (MQTT 5 §4.6).
 * The only file that touches what is private in MQTT.js; RATIONALE.md says why it has to.
 */
export interface AckGate {
  /**
   * `acknowledge`: the acknowledgement may go, once those before it have gone. Else it never goes, and holds up all
   * later ones. The first word on a message counts; messages of other connections are ignored.
   */
  settle(messages: readonly Held[], acknowledge: boolean): void
  /** From now on nothing is handed out or acknowledged; the connection is read on, so that it can be closed. */
  stop(): void
}

/** A received message whose acknowledgement the gate has, or that needs none (QoS 0). */
export interface Held {
  readonly packet: IPublishPacket
  /** The packet has none where the broker sent a number in its place. */
  readonly topic: string
  readonly gate: symbol
  state: 'unsettled' | 'acknowledged' | 'kept'
  /** The PUBACK or PUBREC as MQTT.js made it; null for QoS 0. */
  readonly ack: Packet | null
}

export interface AckGateOptions {
  /** Unacknowledged messages at which reading stops. */
  readonly window: number
  /** Bytes of their payloads at which it stops too. */
  readonly windowBytes: number
  readonly onMessage: (message: Held) => void
  /** Reading has stopped: what else the broker has said is not seen before something is settled. */
  readonly onFull: () => void
  /** MQTT.js acknowledges by another way than it did; nothing it says about a message can be relied on. */
  readonly onBypass: (error: ThroughlineError) => void
}

/** Private in MQTT.js; by name, because the compiler lets only that through, and checks that it is still there. */
const SEND_PACKET = '_sendPacket'
const RECEIVE_MAXIMUM = '_receiveMaximum'

type SendPacket = (packet: Packet, callback?: () => void, ...rest: unknown[]) => void

/** Puts the gate into a client that has not received anything yet. */
export function gateAcks(client: MqttClient, options: AckGateOptions): AckGate {
  const gate = Symbol('ack gate')
  const topicOf = createAliases()
  const send: SendPacket = client[SEND_PACKET].bind(client)
  /** QoS 1 and 2, in receipt order, from the first that is not acknowledged. */
  const queue: Held[] = []
  let unsettledQos0 = 0
  let bytes = 0
  /** Received, its acknowledgement not seen yet: MQTT.js handles one packet at a time. */
  let arriving: IPublishPacket | null = null
  let isFirst = true
  let isSending = false
  let isStopped = false
  let readOn: (() => void) | null = null
  let pings: NodeJS.Timeout | undefined

  // MQTT.js advertises the window as Receive Maximum and breaks the connection when more QoS 2 messages arrive.
  // Mosquitto 2.0.11 does send more to a resumed session; the gate's own window deals with that.
  client[RECEIVE_MAXIMUM] = 65_535

  client.on('packetreceive', (packet) => {
    if (isStopped) return
    if (arriving !== null) return bypassed()
    if (packet.cmd !== 'publish' || packet.qos === 0) return
    arriving = packet
    if (isFirst) setImmediate(() => arriving === packet && bypassed())
    isFirst = false
  })

  client.on('packetsend', (packet) => {
    // Emitted before the bytes are written: breaking the connection here keeps the acknowledgement from going out.
    if (isAck(packet) && !isSending) bypassed()
  })

  client[SEND_PACKET] = (packet: Packet, callback?: () => void, ...rest: unknown[]) => {
    if (!isAck(packet)) return send(packet, callback, ...rest)
    if (isStopped) return callback?.()
    if (arriving === null || arriving.messageId !== packet.messageId) return bypassed()
    hold(arriving, packet)
    arriving = null
    readNext(callback)
  }

  client.handleMessage = (packet, callback) => {
    if (packet.qos !== 0 || isStopped) return callback()
    hold(packet, null)
    readNext(callback)
  }

  function hold(packet: IPublishPacket, ack: Packet | null): void {
    const message: Held = { packet, topic: topicOf(packet), gate, state: 'unsettled', ack }
    bytes += packet.payload.length
    if (ack === null) unsettledQos0++
    else queue.push(message)
    options.onMessage(message)
  }

  function isFull(): boolean {
    return queue.length + unsettledQos0 >= options.window || bytes >= options.windowBytes
  }

  /** MQTT.js reads nothing further from the socket until `next` is called. */
  function readNext(next: (() => void) | undefined): void {
    if (next === undefined) return
    if (!isFull()) {
      next()
      return
    }
    readOn = next
    options.onFull()
    // The answers to pings lie unread behind messages: ping the broker, and do not let MQTT.js miss the answers.
    client.reschedulePing(true)
    if (client.keepalive > 0) pings = setInterval(ping, client.keepalive * 500)
  }

  function ping(): void {
    client.sendPing()
    client.reschedulePing(true)
  }

  function readAgain(): void {
    const next = readOn
    if (next === null) return
    readOn = null
    clearInterval(pings)
    client.reschedulePing(true)
    next()
  }

  function settle(messages: readonly Held[], acknowledge: boolean): void {
    if (isStopped) return
    for (const message of messages) {
      if (message.gate !== gate || message.state !== 'unsettled') continue
      message.state = acknowledge ? 'acknowledged' : 'kept'
      if (message.ack === null) {
        unsettledQos0--
        bytes -= message.packet.payload.length
      }
    }
    sendSettled()
    if (!isFull()) readAgain()
  }

  function sendSettled(): void {
    let count = 0
    isSending = true
    try {
      for (const { state, ack, packet } of queue) {
        if (state !== 'acknowledged' || ack === null) break
        send(ack)
        bytes -= packet.payload.length
        count++
      }
    } finally {
      isSending = false
      queue.splice(0, count)
    }
  }

  function stop(): void {
    if (isStopped) return
    isStopped = true
    readAgain()
  }

  client.on('close', stop)

  function bypassed(): void {
    stop()
    const message =
      'MQTT.js acknowledged, or was about to acknowledge, a message that is not settled: this version of it does not fit @throughline/mqtt, which needs exactly the version in its package.json'
    options.onBypass(new PermanentError(message, { code: 'TL_MQTT_ACK_GATE' }))
  }

  return { settle, stop }
}

function isAck(packet: Packet): packet is Extract<Packet, { cmd: 'puback' | 'pubrec' }> {
  return packet.cmd === 'puback' || packet.cmd === 'pubrec'
}
