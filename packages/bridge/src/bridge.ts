import { PermanentError, ThroughlineError } from '@throughline/core'
import { startAdmin } from './admin.ts'
import type { Config, RouteConfig } from './config/config.ts'
import type { Address } from './config/field.ts'
import { addressText } from './config/field.ts'
import { didYouMean } from './config/nearest.ts'
import { connect } from './connect.ts'
import type { Connection } from './connection.ts'
import { createLog, type Log } from './log.ts'
import { type Route, type RouteSetting, type RouteStatus, startRoute } from './route.ts'

/** What to run of a configuration, and how. */
export interface BridgeOptions {
  /** Default: standard error, for people on a terminal and JSON lines elsewhere. */
  readonly log?: Log
  /** Names of the routes to run, so that one file can be run as several processes. Default: all. */
  readonly routes?: readonly string[]
  /** Tells processes apart that run the same routes, in client ids; the same after a restart: a worker's number. */
  readonly instance?: string
  /** Aborting it closes the bridge. */
  readonly signal?: AbortSignal
  /** Makes a connection's broker object; for tests. */
  readonly connect?: typeof connect
}

/** A running bridge. */
export interface Bridge {
  /**
   * Resolves when the bridge was closed. Rejects, after closing what runs, when a route cannot work at all (a port that
   * is taken), or when every route has stopped and there is no admin server to say so.
   */
  readonly closed: Promise<void>
  /** Readiness fails first; then reading stops, what is in flight is finished and settled, and everything disconnects. Idempotent. */
  close(options?: { readonly graceMs?: number }): Promise<void>
  /** What each route does now, in the order of the configuration. */
  routes(): readonly RouteStatus[]
  /** Where the servers of HTTP connections listen, by connection; the admin server as `admin`. Those that do not listen yet are absent. */
  addresses(): Readonly<Record<string, Address>>
}

const GRACE_MS = 10_000

/**
 * Runs the routes of a configuration. Returns when they have been started, connected or not: brokers that are away are
 * tried again until they return. Throws PermanentError for an unknown route's name and for an admin port that is taken.
 */
export async function startBridge(config: Config, options: BridgeOptions = {}): Promise<Bridge> {
  const { log = createLog(process.stderr, { secrets: config.secrets }), signal } = options
  const selected = selectRoutes(config, options.routes)
  const connections = connectionsOf(config, selected, options)
  const routes: Route[] = []
  const closed = Promise.withResolvers<void>()
  // Whoever does not look at `closed` must not be ended by it.
  closed.promise.catch(() => undefined)
  let draining = false
  let ending: Promise<void> | null = null

  const statuses = () => routes.map((route) => route.status())
  const admin =
    config.admin === undefined
      ? null
      : await startAdmin(config.admin.listen, { statuses, isDraining: () => draining })
  if (admin !== null) log.info(`admin server on http://${addressText(admin.address)}`)

  try {
    for (const route of selected) routes.push(startRoute(settingOf(route)))
  } catch (error) {
    await drain(0)
    throw error
  }
  for (const route of routes) {
    route.closed.then(whenOneEnded, (error: unknown) => void finish(GRACE_MS, error))
  }

  function settingOf(route: RouteConfig): RouteSetting {
    const letter = route.deadLetter === undefined ? undefined : connections.get(route.deadLetter.connection)
    return {
      route,
      source: held(connections, route.from.connection),
      target: held(connections, route.to.connection),
      ...(letter === undefined ? {} : { deadLetter: letter }),
      log,
    }
  }

  function whenOneEnded(): void {
    if (draining || admin !== null) return
    const ended = statuses().filter(({ state }) => state === 'stopped')
    if (ended.length < routes.length) return
    const names = ended.map(({ name }) => name).join(', ')
    void finish(0, new ThroughlineError('TL_ALL_STOPPED', `no route runs any more: ${names} stopped`))
  }

  function finish(graceMs: number, error?: unknown): Promise<void> {
    ending ??= drain(graceMs).then(() => {
      signal?.removeEventListener('abort', onAbort)
      if (error === undefined) closed.resolve()
      else closed.reject(error)
    })
    return ending
  }

  async function drain(graceMs: number): Promise<void> {
    draining = true
    await Promise.all(routes.map((route) => route.close(graceMs)))
    await Promise.all([...connections.values()].map((connection) => connection.close()))
    await admin?.close()
  }

  const onAbort = () => void finish(GRACE_MS)
  if (signal?.aborted) onAbort()
  signal?.addEventListener('abort', onAbort, { once: true })

  return {
    closed: closed.promise,
    close: ({ graceMs = GRACE_MS } = {}) => finish(graceMs),
    routes: statuses,
    addresses() {
      const entries = [...connections.values()].map((each): [string, Address | null] => [
        each.name,
        each.address(),
      ])
      if (admin !== null) entries.push(['admin', admin.address])
      return Object.fromEntries(entries.filter((entry): entry is [string, Address] => entry[1] !== null))
    },
  }
}

function selectRoutes(config: Config, names: BridgeOptions['routes']): Config['routes'] {
  if (names === undefined) return config.routes
  const known = config.routes.map(({ name }) => name)
  const unknown = names.find((name) => !known.includes(name))
  if (unknown === undefined) return config.routes.filter(({ name }) => names.includes(name))
  const meant = didYouMean(unknown, known) || `; it has ${known.join(', ')}`
  throw new PermanentError(`${config.file} has no route ${unknown}${meant}`, { code: 'TL_ROUTE_UNKNOWN' })
}

/** Only those that the selected routes need. Routes of one connection share its broker object. */
function connectionsOf(
  config: Config,
  routes: Config['routes'],
  options: BridgeOptions,
): Map<string, Connection> {
  const { instance, connect: make = connect } = options
  const used = new Set(
    routes.flatMap(({ from, to, deadLetter }) => [from, to, deadLetter].map((end) => end?.connection)),
  )
  // Two processes that run different routes of one file must not publish under one MQTT client id.
  const share = options.routes === undefined ? [] : [routes.map(({ name }) => name).join('.')]
  const sender = [...share, ...(instance === undefined ? [] : [instance])].join('-')
  const connections = new Map<string, Connection>()
  for (const [name, connection] of config.connections) {
    if (!used.has(name)) continue
    const ids = {
      ...(instance === undefined ? {} : { instance }),
      ...(sender === '' ? {} : { senderInstance: sender }),
    }
    connections.set(name, make(name, connection, ids))
  }
  return connections
}

function held(connections: ReadonlyMap<string, Connection>, name: string): Connection {
  const connection = connections.get(name)
  if (connection === undefined)
    throw new TypeError(`the configuration's reader let connection ${name} through, which is not there`)
  return connection
}
