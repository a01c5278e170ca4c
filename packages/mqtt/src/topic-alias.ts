import type { IPublishPacket } from 'mqtt'

/**
 * The topic of each packet of one connection, in the order of receipt, by the numbers that a broker gives to topics
 * (MQTT 5 §3.3.2.3.4). MQTT.js reads them for its own events, refuses wrong ones, and leaves the packet as it came.
 */
export function createAliases(): (packet: IPublishPacket) => string {
  const topics = new Map<number, string>()
  return ({ topic, properties }) => {
    const alias = properties?.topicAlias
    if (alias === undefined) return topic
    if (topic === '') return topics.get(alias) ?? ''
    topics.set(alias, topic)
    return topic
  }
}
