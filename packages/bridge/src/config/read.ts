import { z } from 'zod'
import { checkConfig } from './check.ts'
import type { Config, ConnectionConfig, RouteConfig } from './config.ts'
import { connectionSchemas, type TransportName } from './connections.ts'
import { type ConfigDocument, type Path, readDocument } from './document.ts'
import { deadLetterSchemas, sourceSchemas, targetSchemas } from './ends.ts'
import { listed, parsePart } from './issue.ts'
import { didYouMean } from './nearest.ts'
import { ConfigError } from './problem.ts'
import { adminSchema, BROKER, fileSchema, routeShape } from './schema.ts'

/** Variables that a configuration may name, as `process.env` has them. */
export type Environment = Readonly<Record<string, string | undefined>>

const TYPES: readonly string[] = Object.keys(connectionSchemas)
const later = z.unknown().optional()

const outline = z.strictObject({
  connections: z.record(fileSchema.shape.connections.keyType, z.unknown()),
  routes: z.record(fileSchema.shape.routes.keyType, z.unknown()),
  admin: adminSchema.exactOptional(),
})
const routeOutline = z.strictObject({ from: later, to: later, deadLetter: later, ...routeShape })

/**
 * A configuration from its text. `file` is what problems name. Throws ConfigError with everything that is wrong,
 * each with its line and column.
 */
export function parseConfig(text: string, file: string, environment: Environment): Config {
  const document = readDocument(text, environment)
  const config = document.value === undefined ? undefined : readConfig(document, file)
  if (config === undefined || document.problems.length > 0) {
    if (document.problems.length === 0) document.report([], 'is empty: expected connections and routes')
    throw new ConfigError(
      file,
      [...document.problems].sort((a, b) => a.line - b.line || a.column - b.column),
    )
  }
  return config
}

function readConfig(document: ConfigDocument, file: string): Config | undefined {
  const { value } = document
  if (value === null) return undefined
  const parsed = parsePart(outline, value, [], document)
  // What is wrong at the top is reported; the parts that can be found are read all the same, for their own problems.
  const declared = membersOf(value, 'connections')
  const connections = new Map<string, ConnectionConfig>()
  for (const [name, member] of declared) {
    const connection = readConnection(member, ['connections', name], document)
    if (connection !== undefined) connections.set(name, connection)
  }
  const types = new Map(declared.map(([name, member]) => [name, transportOf(member)]))
  const routes: RouteConfig[] = []
  for (const [name, member] of membersOf(value, 'routes')) {
    const route = readRoute(name, member, types, document)
    if (route !== undefined) routes.push(route)
  }
  if (parsed !== undefined && Object.keys(parsed.routes).length === 0) {
    document.report(['routes'], 'is empty: expected at least one route')
  }
  checkConfig(connections, routes, document)
  return {
    file,
    connections,
    routes,
    ...(parsed?.admin === undefined ? {} : { admin: parsed.admin }),
    warnings: document.warnings,
    secrets: secretsOf(connections, routes),
  }
}

function readConnection(value: unknown, path: Path, document: ConfigDocument): ConnectionConfig | undefined {
  const type = memberOf(value, 'type')
  const at = [...path, 'type']
  if (!isRecord(value)) document.report(path, `expected a mapping with type: ${listed(TYPES)}`)
  else if (type === undefined || type === null) document.report(at, `is required: expected ${listed(TYPES)}`)
  else {
    const known = transportOf(value)
    if (known !== undefined)
      return parsePart<(typeof connectionSchemas)[TransportName]>(
        connectionSchemas[known],
        value,
        path,
        document,
      )
    const meant = didYouMean(String(type), TYPES)
    document.report(at, `expected ${listed(TYPES)}, not ${document.written(at)}${meant}`)
  }
  return undefined
}

type Types = ReadonlyMap<string, TransportName | undefined>

function readRoute(
  name: string,
  value: unknown,
  types: Types,
  document: ConfigDocument,
): RouteConfig | undefined {
  const path = ['routes', name]
  const own = parsePart(routeOutline, value, path, document)
  if (!isRecord(value)) return undefined
  const from = readEnd('from', value, path, types, sourceSchemas, document)
  const to = readEnd('to', value, path, types, targetSchemas, document)
  const rejected = value.deadLetter === BROKER ? BROKER : 'drop'
  if (rejected === BROKER && from !== undefined && from.transport !== 'rabbitmq') {
    document.report(
      [...path, 'deadLetter'],
      `broker is for events from RabbitMQ, not from ${from.transport}: expected a mapping with connection`,
    )
  }
  const letter =
    value.deadLetter === undefined || rejected === BROKER
      ? null
      : readEnd('deadLetter', value, path, types, deadLetterSchemas, document)
  if (own === undefined || from === undefined || to === undefined || letter === undefined) return undefined
  const { retry, trace } = own
  // The broker keeps what it is given.
  const onExhausted = rejected === BROKER ? 'drop' : own.onExhausted
  return {
    name,
    from,
    to,
    ...(letter === null ? {} : { deadLetter: letter }),
    rejected,
    retry,
    onExhausted,
    trace,
  }
}

/** One end of a route, by the schema that its connection's type asks for. */
function readEnd<Schemas extends Readonly<Record<TransportName, z.ZodType>>>(
  end: 'from' | 'to' | 'deadLetter',
  route: Record<string, unknown>,
  routePath: Path,
  types: Types,
  schemas: Schemas,
  document: ConfigDocument,
): z.output<Schemas[TransportName]> | undefined {
  const value = route[end]
  const path = [...routePath, end]
  const at = [...path, 'connection']
  const expected = `expected the name of a connection: ${listed([...types.keys()])}`
  if (!isRecord(value)) {
    const missing = value === undefined || value === null
    document.report(
      path,
      missing
        ? 'is required: expected a mapping with connection'
        : `expected a mapping with connection, not ${document.written(path)}`,
    )
    return undefined
  }
  const { connection } = value
  if (connection === undefined || connection === null) document.report(at, `is required: ${expected}`)
  else if (typeof connection !== 'string') document.report(at, `${expected}, not ${document.written(at)}`)
  else if (!types.has(connection)) {
    const meant = didYouMean(connection, types.keys())
    document.report(at, `there is no connection ${document.written(at)}${meant || `; ${expected}`}`)
  } else {
    const transport = types.get(connection)
    // A connection without a known type has been reported where it is declared.
    if (transport !== undefined)
      return parsePart<Schemas[TransportName]>(schemas[transport], value, path, document)
  }
  return undefined
}

function transportOf(connection: unknown): TransportName | undefined {
  const type = memberOf(connection, 'type')
  return type === 'http' || type === 'kafka' || type === 'mqtt' || type === 'rabbitmq' ? type : undefined
}

/** What is to be kept out of logs: passwords, and values of headers that authorize. */
function secretsOf(
  connections: ReadonlyMap<string, ConnectionConfig>,
  routes: readonly RouteConfig[],
): string[] {
  const secrets: string[] = []
  for (const connection of connections.values()) {
    if (connection.type === 'kafka' && connection.sasl !== undefined && 'password' in connection.sasl)
      secrets.push(connection.sasl.password)
    if (connection.type !== 'mqtt' && connection.type !== 'rabbitmq') continue
    secrets.push(...passwordIn(connection.url))
    if (connection.password !== undefined) secrets.push(connection.password)
  }
  for (const { from } of routes) {
    if (from.transport === 'http') secrets.push(...(from.accessToken ?? []))
  }
  for (const end of routes.flatMap(({ to, deadLetter }) =>
    deadLetter === undefined ? [to] : [to, deadLetter],
  )) {
    if (end.transport !== 'http') continue
    secrets.push(...passwordIn(typeof end.url === 'string' ? end.url : end.url.source))
    for (const [name, value] of Object.entries(end.headers))
      if (/authorization|cookie|token|key|secret/i.test(name)) secrets.push(value)
  }
  return secrets.filter((secret) => secret !== '')
}

function passwordIn(url: string): string[] {
  const password = URL.canParse(url) ? new URL(url).password : ''
  // Both forms: a driver's error may have either.
  return /%(?![0-9A-Fa-f]{2})/.test(password) ? [password] : [password, decodeURIComponent(password)]
}

function membersOf(value: unknown, name: string): [string, unknown][] {
  const member = memberOf(value, name)
  return isRecord(member) ? Object.entries(member) : []
}

function memberOf(value: unknown, name: string): unknown {
  return isRecord(value) && Object.hasOwn(value, name) ? value[name] : undefined
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
