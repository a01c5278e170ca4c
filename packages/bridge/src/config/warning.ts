import type { ConnectionConfig, RouteConfig } from './config.ts'
import type { ConfigDocument } from './document.ts'

/** Says in words where a configuration promises what a transport cannot keep. */
export function warnAbout(
  connections: ReadonlyMap<string, ConnectionConfig>,
  routes: readonly RouteConfig[],
  document: ConfigDocument,
): void {
  for (const [name, connection] of connections) warnAboutConnection(name, connection, document)
  const groups = new Map<string, string>()
  for (const route of routes) {
    warnAboutSource(route, connections, document)
    warnAboutTarget(route, document)
    warnAboutGroup(route, groups, document)
  }
}

function warnAboutConnection(name: string, connection: ConnectionConfig, document: ConfigDocument): void {
  if (connection.type !== 'mqtt' || connection.protocolVersion === 5 || connection.envelope) return
  document.warn(
    ['connections', name, 'protocolVersion'],
    'MQTT 3.1.1 carries no headers: traces end at this broker and others begin behind it; envelope: true carries them',
  )
}

function warnAboutSource(
  { name, from }: RouteConfig,
  connections: ReadonlyMap<string, ConnectionConfig>,
  document: ConfigDocument,
): void {
  const path = ['routes', name, 'from']
  const connection = connections.get(from.connection)
  if (from.transport === 'http') {
    document.warn(path, 'HTTP has no order: of two requests in flight together either may arrive first')
  }
  if (from.transport !== 'mqtt') return
  if (from.qos === 0) {
    document.warn(
      [...path, 'qos'],
      'QoS 0 cannot be at least once: what the broker sends while this route is away or ends is lost',
    )
  }
  if (from.share !== undefined) {
    document.warn(
      [...path, 'share'],
      'a share has no order: its subscribers take messages of one topic side by side',
    )
  }
  if (connection?.type === 'mqtt' && connection.clientId === undefined) {
    document.warn(
      ['connections', from.connection],
      `without a fixed clientId the session ends with the process: what arrives for route ${name} while it is away is lost`,
    )
  }
}

function warnAboutTarget({ name, to, deadLetter, onExhausted }: RouteConfig, document: ConfigDocument): void {
  const path = ['routes', name]
  if (to.transport === 'mqtt' && to.qos === 0) {
    document.warn(
      [...path, 'to', 'qos'],
      'QoS 0 cannot be at least once: an event counts as delivered when it was handed to the client',
    )
  }
  if (to.transport === 'rabbitmq' && !to.mandatory) {
    document.warn(
      [...path, 'to', 'mandatory'],
      'false cannot be at least once: what no queue takes is dropped by the broker and counts as delivered',
    )
  }
  if (to.transport === 'rabbitmq' && !to.persistent) {
    document.warn(
      [...path, 'to', 'persistent'],
      'false: a restart of the broker loses what it has not delivered',
    )
  }
  if (deadLetter?.transport === 'mqtt' && deadLetter.qos === 0) {
    document.warn([...path, 'deadLetter', 'qos'], 'QoS 0 cannot be at least once: a dead letter may be lost')
  }
  if (deadLetter !== undefined && onExhausted === 'drop') {
    document.warn(
      [...path, 'onExhausted'],
      'drop has no effect beside deadLetter: what is given up goes there',
    )
  }
}

function warnAboutGroup(
  { name, from }: RouteConfig,
  groups: Map<string, string>,
  document: ConfigDocument,
): void {
  if (from.transport !== 'kafka') return
  for (const topic of from.topics) {
    const place = `${from.connection} ${from.group} ${topic}`
    const other = groups.get(place)
    if (other !== undefined) {
      document.warn(
        ['routes', name, 'from', 'group'],
        `group ${from.group} reads ${topic} for route ${other} too: each event goes to one of the two only`,
      )
    }
    groups.set(place, name)
  }
}
