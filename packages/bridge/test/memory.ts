import { createBroker, type PermanentError } from '@throughline/core'
import { memoryTransport } from '@throughline/testkit'
import { type Bridge, startBridge } from '../src/bridge.ts'
import { parseConfig } from '../src/config/read.ts'
import { type Connection, connectionOf } from '../src/connection.ts'
import type { Fields, Log } from '../src/log.ts'

/** What a log was told, as `level sentence`. */
export function recordingLog(): Log & { readonly lines: string[] } {
  const lines: string[] = []
  const write = (level: string) => (sentence: string, _fields?: Fields) =>
    void lines.push(`${level} ${sentence}`)
  return { lines, info: write('info'), warn: write('warn'), error: write('error') }
}

const CONFIG = `connections:
  in: { type: kafka, brokers: "in:1" }
  out: { type: kafka, brokers: "out:1" }
routes:
`

/** The in-memory transport, whose publishers can be refused for good: as by a broker that knows their password no longer. */
export type Memory = ReturnType<typeof memoryTransport> & { ban(error: PermanentError): void }

function memory(): Memory {
  const transport = memoryTransport()
  let banned: PermanentError | null = null
  return {
    ...transport,
    publisher(options) {
      const made = transport.publisher(options)
      return {
        ...made,
        open: () => (banned === null ? made.open() : Promise.reject(banned)),
        publish: async (messages) => {
          const error = banned
          return error === null ? made.publish(messages) : messages.map(() => ({ ok: false, error }))
        },
      }
    },
    ban(error) {
      banned = error
    },
  }
}

/** A bridge between two brokers in the process, `in` and `out`, that speak as Kafka does. `routes` is YAML. */
export async function memoryBridge(routes: string, more = '') {
  const log = recordingLog()
  const brokers = { in: memory(), out: memory() }
  const config = parseConfig(`${CONFIG}${routes}${more}`, 'memory.yaml', {})
  const bridge: Bridge = await startBridge(config, {
    log,
    connect: (name) => memoryConnection(name, name === 'in' ? brokers.in : brokers.out),
  })
  return { bridge, log, ...brokers }
}

function memoryConnection(name: string, transport: Memory): Connection {
  return connectionOf(name, createBroker(transport), {
    system: 'kafka',
    place: `memory ${name}`,
    target(to) {
      if (to.transport !== 'kafka') throw new TypeError(to.transport)
      return { destination: typeof to.topic === 'string' ? to.topic : to.topic.source }
    },
    source(from) {
      if (from.transport !== 'kafka') throw new TypeError(from.transport)
      return { destinations: from.topics, group: from.group }
    },
  })
}
