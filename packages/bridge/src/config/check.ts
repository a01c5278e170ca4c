import { NEVER_PASSED } from '../headers.ts'
import { isStatic, readsEvent, type Template } from '../template.ts'
import type { ConnectionConfig, DeadLetterConfig, RouteConfig, TargetConfig } from './config.ts'
import type { ConfigDocument } from './document.ts'
import { filterOf, filtersOverlap } from './filter.ts'
import { warnAbout } from './warning.ts'

type Connections = ReadonlyMap<string, ConnectionConfig>

/** What one field alone cannot show: reports what cannot work and warns of what will not do what one may think. */
export function checkConfig(
  connections: Connections,
  routes: readonly RouteConfig[],
  document: ConfigDocument,
): void {
  checkConnections(connections, document)
  const served = new Map<string, string>()
  for (const route of routes) {
    checkSource(route, connections, served, document)
    checkRaw(route, document)
    checkRoutingKey(route.to, ['routes', route.name, 'to'], document)
    if (route.deadLetter !== undefined)
      checkRoutingKey(route.deadLetter, ['routes', route.name, 'deadLetter'], document)
    checkLoop(route, route.to, ['routes', route.name, 'to'], connections, document)
    if (route.deadLetter !== undefined) {
      checkLoop(route, route.deadLetter, ['routes', route.name, 'deadLetter'], connections, document)
    }
  }
  warnAbout(connections, routes, document)
}

function checkConnections(connections: Connections, document: ConfigDocument): void {
  const taken = new Map<string, string>()
  for (const [name, connection] of connections) {
    const claim = claimOf(connection)
    if (claim === undefined) continue
    const other = taken.get(claim.key)
    if (other !== undefined) document.report(['connections', name, claim.field], `${claim.fault(other)}`)
    else taken.set(claim.key, name)
  }
}

/** What two connections must not both have. */
function claimOf(connection: ConnectionConfig) {
  if (connection.type === 'http' && connection.listen !== undefined && connection.listen.port !== 0) {
    const { host, port } = connection.listen
    return {
      key: `listen ${host}:${port}`,
      field: 'listen',
      fault: (other: string) => `is where connection ${other} listens already`,
    }
  }
  if (connection.type === 'mqtt' && connection.clientId !== undefined) {
    const fault = (other: string) =>
      `is the client id of connection ${other} at the same broker: they would evict each other forever`
    return { key: `mqtt ${placeOf(connection)} ${connection.clientId}`, field: 'clientId', fault }
  }
  return undefined
}

function checkSource(
  { name, from }: RouteConfig,
  connections: Connections,
  served: Map<string, string>,
  document: ConfigDocument,
): void {
  if (from.transport !== 'http') return
  const path = ['routes', name, 'from']
  const connection = connections.get(from.connection)
  if (connection?.type === 'http' && connection.listen === undefined) {
    document.report(
      [...path, 'connection'],
      `connection ${from.connection} has no listen: a route from it needs an address such as 127.0.0.1:8081`,
    )
  }
  from.headers.forEach((header, index) => {
    if (NEVER_PASSED.has(header)) document.report([...path, 'headers', index], `${header} is never passed on`)
  })
  const place = `${from.connection} ${from.path}`
  const other = served.get(place)
  if (other !== undefined) document.report([...path, 'path'], `${from.path} is taken by route ${other}`)
  served.set(place, name)
}

function checkRaw({ name, from, to }: RouteConfig, document: ConfigDocument): void {
  if (from.raw !== to.raw) {
    document.report(
      ['routes', name, from.raw ? 'from' : 'to', 'raw'],
      'raw: true must stand on both sides of a route, or on neither',
    )
    return
  }
  if (!to.raw) return
  for (const [field, template] of templatesOf(to)) {
    if (!readsEvent(template)) continue
    document.report(
      ['routes', name, 'to', field],
      `${template.source} reads an event, which a raw route does not have; message.key and message.headers.<name> are there`,
    )
  }
}

/** Without an exchange the routing key names a queue; what is declared has to fit what is named. */
function checkRoutingKey(
  to: TargetConfig | DeadLetterConfig,
  path: readonly string[],
  document: ConfigDocument,
): void {
  if (to.transport !== 'rabbitmq') return
  const { exchange, routingKey, declare } = to
  const isQueue = declare === 'classic' || declare === 'quorum'
  if (exchange === '' && routingKey === undefined) {
    document.report(path, 'needs an exchange, or a routingKey that names a queue')
  } else if (declare !== undefined && isQueue !== (exchange === '')) {
    document.report(
      [...path, 'declare'],
      isQueue
        ? `${declare} is a kind of queue: with an exchange expected direct, fanout, topic or headers`
        : `${declare} is a kind of exchange, and none is named: expected classic or quorum, or an exchange`,
    )
  } else if (isQueue && routingKey !== undefined && typeof routingKey !== 'string' && !isStatic(routingKey)) {
    document.report(
      [...path, 'declare'],
      `the queue ${routingKey.source} differs by event and cannot be declared`,
    )
  }
}

export function templatesOf(to: TargetConfig): [field: string, template: Template][] {
  if (to.transport === 'http') return [['url', to.url]]
  if (to.transport === 'rabbitmq') return to.routingKey === undefined ? [] : [['routingKey', to.routingKey]]
  if (to.transport === 'mqtt' || to.key === undefined) return [['topic', to.topic]]
  return [
    ['topic', to.topic],
    ['key', to.key],
  ]
}

/** A route must not feed itself: its events would go round for ever. */
function checkLoop(
  { from }: RouteConfig,
  to: TargetConfig | DeadLetterConfig,
  path: readonly string[],
  connections: Connections,
  document: ConfigDocument,
): void {
  const source = connections.get(from.connection)
  const target = connections.get(to.connection)
  if (source === undefined || target === undefined || placeOf(source) === undefined) return
  if (to.transport === 'rabbitmq') {
    const template =
      typeof to.routingKey === 'string' ? { source: to.routingKey, parts: [to.routingKey] } : to.routingKey
    if (placeOf(source) === placeOf(target) && fillsQueue(from, to.exchange, template))
      document.report(
        [...path, 'routingKey'],
        `${template?.source ?? to.exchange} leads to the queue that this route reads: its events would go round for ever`,
      )
    return
  }
  const field = to.transport === 'http' ? 'url' : 'topic'
  const written = to.transport === 'http' ? to.url : to.topic
  const template = typeof written === 'string' ? { source: written, parts: [written] } : written
  const loops =
    to.transport === 'http'
      ? isOwnUrl(template.source, from, source)
      : placeOf(source) === placeOf(target) && readsTopic(from, to.transport, template)
  if (loops)
    document.report(
      [...path, field],
      `${template.source} is where this route reads from: its events would go round for ever`,
    )
}

/** Whether what goes to an exchange comes to the queue that a route reads, as far as the configuration tells. */
function fillsQueue(
  from: RouteConfig['from'],
  exchange: string,
  routingKey: Pick<Template, 'source' | 'parts'> = { source: '', parts: [] },
): boolean {
  if (from.transport !== 'rabbitmq') return false
  if (exchange === '') return isStatic(routingKey) && routingKey.source === from.queue
  return from.bindings.some(
    (binding) =>
      binding.exchange === exchange &&
      (binding.declare === 'fanout' ||
        binding.routingKey === '#' ||
        (isStatic(routingKey) && binding.routingKey === routingKey.source)),
  )
}

function readsTopic(
  from: RouteConfig['from'],
  transport: 'kafka' | 'mqtt',
  topic: Pick<Template, 'source' | 'parts'>,
): boolean {
  if (from.transport !== transport) return false
  if (from.transport === 'kafka') return isStatic(topic) && from.topics.includes(topic.source)
  const published = filterOf(topic.parts)
  return from.transport === 'mqtt' && from.topics.some((filter) => filtersOverlap(filter, published))
}

function isOwnUrl(written: string, from: RouteConfig['from'], source: ConnectionConfig): boolean {
  if (from.transport !== 'http' || source.type !== 'http' || source.listen === undefined) return false
  const url = URL.canParse(written) ? new URL(written) : undefined
  if (url === undefined || url.pathname !== from.path) return false
  const { host, port } = source.listen
  const port80 = url.port === '' ? (url.protocol === 'https:' ? 443 : 80) : Number(url.port)
  const here = ['localhost', '127.0.0.1', '[::1]', host, `[${host}]`]
  return port80 === port && here.includes(url.hostname)
}

/** Connections to the same brokers have the same place, whatever they are called; an HTTP one has its address. */
function placeOf(connection: ConnectionConfig): string | undefined {
  if (connection.type === 'kafka') return [...connection.brokers].sort().join()
  if (connection.type === 'mqtt') return new URL(connection.url).host
  if (connection.type === 'rabbitmq') {
    const { host, pathname } = new URL(connection.url)
    return `${host}${pathname === '/' ? '' : pathname}`
  }
  return connection.listen && `${connection.listen.host}:${connection.listen.port}`
}
