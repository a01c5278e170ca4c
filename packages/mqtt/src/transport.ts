import { PermanentError, type Publisher, type Subscriber, type Transport } from '@throughline/core'
import { mqttBinding } from './binding.ts'
import { deliveredAttributes } from './delivery.ts'
import { clientIdOf, type MqttOptions, parseOptions } from './options.ts'
import { type MqttPublisherOptions, mqttPublisher } from './publisher.ts'
import { createSender, sentAttributes } from './sender.ts'
import { type MqttSubscriberOptions, mqttSubscriber } from './subscriber.ts'

export type MqttTransport = Transport<MqttPublisherOptions, MqttSubscriberOptions>

/**
 * MQTT 5. All publishers share one connection, each subscriber has its own: its session is what the broker keeps
 * messages in. Throws PermanentError for options that cannot work.
 */
export function mqttTransport(options: MqttOptions): MqttTransport {
  const endpoint = parseOptions(options)
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
      headers: 'text',
      replay: false,
      answersSender: false,
    },
    binding: mqttBinding,
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
