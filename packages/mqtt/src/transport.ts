import { PermanentError, type Publisher, type Subscriber, type Transport } from '@throughline/core'
import { bindingOf } from './binding.ts'
import { deliveredAttributes } from './delivery.ts'
import { clientIdOf, type MqttOptions, parseOptions } from './options.ts'
import { type MqttPublisherOptions, mqttPublisher } from './publisher.ts'
import { createSender, sentAttributes } from './sender.ts'
import { type MqttSubscriberOptions, mqttSubscriber } from './subscriber.ts'
import { willOf } from './will.ts'

/** MQTT as a driver. */
export type MqttTransport = Transport<MqttPublisherOptions, MqttSubscriberOptions>

/**
 * MQTT 5 or 3.1.1. All publishers share one connection, each subscriber has its own: its session is what the broker keeps
 * messages in. Throws PermanentError for options that cannot work.
 */
export function mqttTransport(options: MqttOptions): MqttTransport {
  const endpoint = parseOptions(options)
  const isOld = endpoint.protocolVersion === 4
  const carriesHeaders = !isOld || endpoint.envelope
  const { onWarning = warn } = options
  if (!carriesHeaders) {
    onWarning(
      `MQTT 3.1.1 carries no headers: every trace over ${endpoint.address} ends at the broker and another begins behind it; set envelope: true, or protocolVersion: 5`,
    )
  }
  // One that cannot be made is refused here and not at the first publish.
  if (endpoint.will !== undefined) willOf(endpoint.will, endpoint)
  const sender = createSender(endpoint)
  const publishers = new Set<symbol>()
  const sessions = new Set<string>()

  function publisher(settings: MqttPublisherOptions): Publisher {
    const user = Symbol(settings.topic)
    publishers.add(user)
    return mqttPublisher(endpoint, sender, settings, async () => {
      publishers.delete(user)
      if (publishers.size === 0) await sender.close()
    })
  }

  function subscriber(settings: MqttSubscriberOptions): Subscriber {
    const clientId = freeClientId(settings.session)
    if (isOld && !endpoint.isFixed && settings.clean !== true) {
      onWarning(
        `MQTT 3.1.1 without a clientId has no session: what ${endpoint.address} gets for ${settings.topics.join(', ')} while "${clientId}" is not connected is lost`,
      )
    }
    const made = mqttSubscriber(endpoint, clientId, settings, () => sessions.delete(clientId))
    sessions.add(clientId)
    return made
  }

  function freeClientId(session: string | undefined): string {
    const clientId = clientIdOf(endpoint, 'sub', session)
    if (!sessions.has(clientId)) return clientId
    if (!endpoint.isFixed && session === undefined) return freeClientId(String(sessions.size + 1))
    // Numbering them would give a session, and the messages in it, to another subscriber when their order changes.
    throw new PermanentError(
      `MQTT options: two subscribers would both connect as "${clientId}" and evict each other: give each a session of its own`,
      { code: 'TL_OPTIONS_INVALID' },
    )
  }

  return {
    system: 'mqtt',
    sendOperation: 'publish',
    features: {
      acknowledges: true,
      ordering: 'destination',
      headers: carriesHeaders ? 'text' : 'none',
      sharing: 'session',
      replay: false,
      answersSender: false,
    },
    binding: bindingOf(endpoint),
    attributes: {
      connection: {
        'server.address': endpoint.host,
        'server.port': endpoint.port,
        'messaging.client.id': clientIdOf(endpoint, 'pub'),
      },
      sent: () => ({}),
      confirmed: sentAttributes,
      delivered: deliveredAttributes,
    },
    publisher,
    subscriber,
  }
}

function warn(warning: string): void {
  process.emitWarning(warning, { type: 'ThroughlineWarning', code: 'TL_MQTT' })
}
