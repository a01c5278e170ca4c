import type { Attributes } from '@opentelemetry/api'
import type { Tracing } from '../instrumentation.ts'
import { createProcesses, type Processes } from '../messages/processes.ts'
import { createSends, type Sends } from '../messages/sends.ts'
import type { ClientInstrumentationConfig } from '../options.ts'
import { rabbitmq, withQueueTemplates } from './rabbitmq.ts'

/** What traces the messages of one connection to RabbitMQ. */
export interface TracedConnection {
  readonly sends: Sends
  readonly processes: Processes
  readonly config: ClientInstrumentationConfig
}

/**
 * What traces each of a client's connections, made when it is first used, with the options that hold then.
 * `attributesOf`: `server.address` and others that its spans have in common.
 */
export function createConnections(
  { config, scope }: Tracing<ClientInstrumentationConfig>,
  attributesOf: (connection: object) => Attributes,
): (connection: object) => TracedConnection {
  const connections = new WeakMap<object, TracedConnection>()
  return (connection) => {
    let traced = connections.get(connection)
    if (traced === undefined) {
      const client = { system: rabbitmq, connection: attributesOf(connection) }
      const options = withQueueTemplates(config())
      traced = {
        sends: createSends(client, options, scope),
        processes: createProcesses(client, {}, options, scope),
        config: options,
      }
      connections.set(connection, traced)
    }
    return traced
  }
}
