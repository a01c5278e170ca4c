import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { findMosquitto } from '../bootstrap/mosquitto.mjs'
import type { Broker } from './broker.ts'
import { answers } from './ports.ts'

// MQTT 5 CONNECT: protocol "MQTT" 5, clean start, keep-alive 5 s, no properties, empty client id.
const connectPacket = Buffer.from([0x10, 0x0d, 0, 4, ...Buffer.from('MQTT'), 5, 0x02, 0, 5, 0, 0, 0])

/** Lines of a listener beside the plain one, for tests of logins, TLS and WebSocket; their ports follow the first. */
export type MosquittoListener = readonly string[]

export const mosquitto: Broker = mosquittoWith([])

/** A Mosquitto with more listeners than every test needs. Each listener's own lines say who may enter there. */
export function mosquittoWith(listeners: readonly MosquittoListener[]): Broker {
  return {
    title: 'Mosquitto',
    portCount: 1 + listeners.length,
    address: (port) => `mqtt://127.0.0.1:${port}`,
    prepare(dir, [port, ...ports]) {
      const data = join(dir, 'data')
      mkdirSync(data, { recursive: true })
      const config = join(dir, 'mosquitto.conf')
      const lines = [
        // In front of all listeners, or those before it would be open to everybody.
        ...(listeners.length > 0 ? ['per_listener_settings true'] : []),
        `listener ${port} 127.0.0.1`,
        'allow_anonymous true',
        ...listeners.flatMap((own, index) => [`listener ${ports[index] ?? 0} 127.0.0.1`, ...own]),
        'persistence true',
        `persistence_location ${data}/`,
        // The defaults (1000 queued, 20 in flight) lose what waits for a session that is away.
        'max_queued_messages 0',
        'max_inflight_messages 1000',
        // Started by root it would become "mosquitto", a user that may not exist or not enter this folder.
        ...(process.getuid?.() === 0 ? ['user root'] : []),
        'log_dest stderr',
        'log_timestamp_format %Y-%m-%dT%H:%M:%S',
      ]
      writeFileSync(config, `${lines.join('\n')}\n`)
      return {
        command: findMosquitto() ?? 'mosquitto',
        args: ['-c', config],
        logFile: join(dir, 'mosquitto.log'),
      }
    },
    // CONNACK with reason code 0.
    isReady: (port) => answers(port, connectPacket, (bytes) => bytes[0] === 0x20 && bytes[3] === 0),
  }
}
