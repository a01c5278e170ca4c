import { mqttTransport } from '@throughline/mqtt'
import type { Credentials } from './credentials.ts'
import type { Destination } from './destination.ts'
import { createOutlet } from './outlet.ts'
import { made, usage } from './problem.ts'
import { type DestinationUrl, optionsOf } from './url.ts'

/** `mqtt://host:1883/topic`, `mqtts:`; over WebSocket the path is the server's: `wss://host/mqtt?topic=alerts/1`. */
export function mqttDestination(url: DestinationUrl, { user, password }: Credentials): Destination {
  const { scheme, authority, path, text } = url
  const overWebSocket = scheme === 'ws' || scheme === 'wss'
  const options = optionsOf(url, overWebSocket ? ['topic'] : [])
  if (authority === '') throw usage(`${text} names no broker: expected ${scheme}://host/topic`)
  const topic = overWebSocket ? options.get('topic') : path
  if (topic === undefined || topic === '') {
    const expected = overWebSocket ? `${text}?topic=alerts/1` : `${text.replace(/\/$/, '')}/alerts/1`
    throw usage(`${text} names no topic: expected ${expected}`)
  }
  const transport = made(() =>
    mqttTransport({
      url: `${scheme}://${authority}${overWebSocket ? `/${path}` : ''}`,
      ...(user === undefined ? {} : { username: user }),
      ...(password === undefined ? {} : { password }),
    }),
  )
  return {
    text: overWebSocket ? `${text}?topic=${topic}` : text,
    takes: new Set(['qos', 'retain'] as const),
    outlet({ timeoutMs, qos = 1, retain = false }) {
      if (/[+#]/.test(topic)) throw usage(`${topic} has a wildcard: a message is sent to one topic`)
      return made(() => createOutlet(transport, { topic, qos, retain, timeoutMs }))
    },
  }
}
