import { context as contexts } from '@opentelemetry/api'
import { errorOf, guarded } from '../guard.ts'
import { headersOf, withHeaders } from '../messages/headers.ts'
import type { Hop, Send } from '../messages/sends.ts'
import type { Method } from '../patches.ts'
import type { Published, PublishPacket } from '../systems/mqtt.ts'
import type { MqttClient, MqttProperties, TracedClient, TracedClients } from './mqtt-client.ts'

interface PublishOptions {
  readonly qos?: number
  readonly retain?: boolean
  readonly properties?: MqttProperties
}

/** The arguments of `publish`, whichever of its forms was called. */
interface Call {
  readonly topic: string
  readonly payload: unknown
  readonly options: PublishOptions | null | undefined
  readonly callback: Method | undefined
}

/** Runs MQTT.js's `publish` in a span, with the context in a copy of the options. */
export function tracedPublish(publish: Method, clients: TracedClients): Method {
  return function (this: MqttClient, ...args) {
    const started = guarded('MQTT.js publish', () => {
      const call = callOf(args)
      if (call === undefined) return undefined
      const traced = clients.of(this)
      const packet = { qos: call.options?.qos ?? 0, retain: call.options?.retain ?? false }
      const send = startSend(this, traced, call)
      return send && { call, traced, packet, send }
    })
    if (started === undefined) return publish.apply(this, args)
    const { call, traced, packet, send } = started
    const { topic, payload, options, callback } = call
    const sent = traced.carries
      ? (guarded('the copy of a message', () => withContext(options, send.hop)) ?? options)
      : options
    try {
      if (callback === undefined && isLeftAlone(this, packet.qos)) {
        const returned = publish.call(this, topic, payload, sent)
        send.end(resultOf(this.disconnecting ? new Error('client disconnecting') : undefined, packet))
        return returned
      }
      traced.unconfirmed.add(send)
      // The broker's answer comes in the context in which the client was connected.
      const caller = contexts.active()
      return publish.call(this, topic, payload, sent, function (this: unknown, ...answer: unknown[]) {
        // It may come again after the client was ended and connected anew.
        if (traced.unconfirmed.delete(send)) guarded('MQTT.js answer', () => confirm(send, packet, answer))
        return callback && contexts.with(caller, callback, this, ...answer)
      })
    } catch (error) {
      traced.unconfirmed.delete(send)
      send.end(resultOf(error, packet))
      throw error
    }
  }
}

/** Ends the spans of what a client cannot send any more. */
export function endUnconfirmed(client: MqttClient, clients: TracedClients): void {
  const unconfirmed = clients.known(client)?.unconfirmed
  if (unconfirmed === undefined) return
  for (const send of unconfirmed) {
    send.end({ ok: false, error: new Error('the client was ended before the message was confirmed') })
  }
  unconfirmed.clear()
}

/** Undefined for what MQTT.js is to refuse by itself. */
function callOf(args: readonly unknown[]): Call | undefined {
  const [topic, payload, third, fourth] = args
  if (typeof topic !== 'string') return undefined
  const [options, callback] = typeof third === 'function' ? [undefined, third] : [third, fourth]
  return {
    topic,
    payload,
    options: options as PublishOptions | null | undefined,
    callback: typeof callback === 'function' ? (callback as Method) : undefined,
  }
}

function startSend(client: MqttClient, { sends, carries }: TracedClient, call: Call): Send | undefined {
  const { topic, payload, options } = call
  const properties = options?.properties
  return sends.one({
    destination: topic === '' ? aliasedTopic(client, properties) : topic,
    headers: carries ? headersOf(properties?.userProperties) : [],
    contentType: carries ? properties?.contentType : undefined,
    body: typeof payload === 'string' || payload instanceof Uint8Array ? payload : null,
    own: { topic, payload, options },
  })
}

/** A topic that the application sends by its number (MQTT 5 §3.3.2.3.4). */
function aliasedTopic({ topicAliasSend }: MqttClient, properties: MqttProperties | undefined): string {
  const alias = properties?.topicAlias
  return alias === undefined ? '' : (topicAliasSend?.getTopicByAlias(alias) ?? '')
}

/**
 * Whether MQTT.js is to have no callback of ours where the application gave none. It tells an ended client's error to
 * a callback alone; and at QoS 0 it would wait with each callback for a full socket to drain, with a listener each.
 */
function isLeftAlone({ connected, disconnecting }: MqttClient, qos: number): boolean {
  return disconnecting || (qos === 0 && connected)
}

function withContext(
  options: PublishOptions | null | undefined,
  hop: Hop,
): PublishOptions | null | undefined {
  if (hop === null) return options
  const userProperties = withHeaders(options?.properties?.userProperties, hop)
  return { ...options, properties: { ...options?.properties, userProperties } }
}

function confirm(send: Send, packet: PublishPacket, [error, confirmed]: readonly unknown[]): void {
  send.end(resultOf(error ?? undefined, { ...packet, messageId: messageIdOf(confirmed) }))
}

function messageIdOf(confirmed: unknown): number | undefined {
  if (typeof confirmed !== 'object' || confirmed === null || !('messageId' in confirmed)) return undefined
  return typeof confirmed.messageId === 'number' ? confirmed.messageId : undefined
}

function resultOf(error: unknown, packet: PublishPacket): Published {
  if (error === undefined) return { ok: true, packet }
  return { ok: false, error: errorOf(error), packet }
}
