import { mqttTransport } from '@throughline/mqtt'
import type { Credentials } from './credentials.ts'
import type { Destination } from './destination.ts'
import { createOutlet } from './outlet.ts'
import { made, usage } from './problem.ts'
import { type DestinationUrl, isSwitchedOn, optionsOf } from './url.ts'

/**
 * `mqtt://host:1883/topic`, `mqtts:`; over WebSocket the path is the server's: `wss://host/mqtt?topic=alerts/1`.
 * `?protocol=3.1.1&envelope` speaks that version, and has headers in the payload, which it has no other place for.
 */
export function mqttDestination(url: DestinationUrl, { user, password }: Credentials): Destination {
  const { scheme, authority, path, text } = url
  const overWebSocket = scheme === 'ws' || scheme === 'wss'
  const options = optionsOf(url, ['protocol', 'envelope', ...(overWebSocket ? ['topic'] : [])])
  if (authority === '') throw usage(`${text} names no broker: expected ${scheme}://host/topic`)
  const topic = overWebSocket ? options.get('topic') : path
  if (topic === undefined || topic === '') {
    const expected = overWebSocket ? `${text}?topic=alerts/1` : `${text.replace(/\/$/, '')}/alerts/1`
    throw usage(`${text} names no topic: expected ${expected}`)
  }
  const shown = overWebSocket ? `${text}?topic=${topic}` : text
  const transport = made(() =>
    mqttTransport({
      url: `${scheme}://${authority}${overWebSocket ? `/${path}` : ''}`,
      protocolVersion: protocolVersion(options.get('protocol')),
      envelope: isSwitchedOn(options, 'envelope'),
      onWarning: (warning) => process.stderr.write(`warning: ${warning}\n`),
      ...(user === undefined ? {} : { username: user }),
      ...(password === undefined ? {} : { password }),
    }),
  )
  return {
    text: shown,
    takes: new Set(['qos', 'retain'] as const),
    outlet({ timeoutMs, qos = 1, retain = false }) {
      if (/[+#]/.test(topic)) throw usage(`${topic} has a wildcard: a message is sent to one topic`)
      return made(() => createOutlet(transport, { topic, qos, retain, timeoutMs }))
    },
    source() {
      if (topic.startsWith('$share/')) {
        const filter = topic.split('/').slice(2).join('/')
        throw usage(
          `${topic} is a shared subscription, whose messages others would miss: tail ${filter} instead, which gets all of them`,
        )
      }
      return {
        ...transport,
        subscriber: made(() => transport.subscriber({ topics: [topic], clean: true })),
        doing: `reading ${shown}`,
      }
    },
  }
}

function protocolVersion(protocol: string | undefined): 4 | 5 {
  if (protocol === undefined || protocol === '5') return 5
  if (protocol === '3.1.1') return 4
  throw usage('protocol is to be 5 or 3.1.1')
}
