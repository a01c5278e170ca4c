import {
  errorMessage,
  markTraced,
  PermanentError,
  type ThroughlineError,
  UnavailableError,
} from '@throughline/core'
import { type Channel, Connection as Client } from 'rabbitmq-client'
import { negotiatedFrameMax, writeGatherer } from './driver.ts'
import { rabbitmqError } from './errors.ts'
import type { Endpoint } from './options.ts'

/** One connection to the broker. It is never mended: whoever needs another starts another. */
export interface Connection {
  /** Rejects with UnavailableError when the broker cannot be reached, PermanentError when it refuses this client. */
  readonly opened: Promise<void>
  /** Why it is over; null while it is not. */
  readonly over: ThroughlineError | null
  /** Why the broker takes no messages at present, an alarm of memory or disk; null while it takes them. */
  readonly blocked: string | null
  /** What is written on its channels from now until the end of this turn goes out together. */
  gatherWrites(): void
  /** Rejects with the driver's error. */
  openChannel(): Promise<Channel>
  /** Closes a channel behind all that was written on it. A broker that does not answer loses the connection. */
  closeChannel(channel: Channel): Promise<void>
  /** Ends it at once, with an error found by the caller. Does nothing when it is over. */
  fail(error: ThroughlineError): void
  /** Says goodbye where the broker answers. */
  close(): Promise<void>
}

/** A connection that several publishers or several subscribers use, each on a channel of its own. */
export interface SharedConnection {
  /** The connection that is up, or a new one. Rejects as `Connection.opened` does. */
  open(): Promise<Connection>
  /** Counts one more user. The function says that it is gone; with the last one the connection is closed. */
  join(): () => Promise<void>
}

// A broker that has stopped reading would hold the process.
const CLOSE_TIMEOUT_MS = 2000

export function shareConnection(endpoint: Endpoint, role: 'pub' | 'sub'): SharedConnection {
  const users = new Set<symbol>()
  let current: Connection | null = null

  async function open(): Promise<Connection> {
    if (current === null) {
      const started = startConnection(endpoint, role, () => {
        if (current === started) current = null
      })
      current = started
    }
    const connection = current
    await connection.opened
    return connection
  }

  function join(): () => Promise<void> {
    const user = Symbol(role)
    users.add(user)
    return async () => {
      users.delete(user)
      if (users.size === 0) await current?.close()
    }
  }

  return { open, join }
}

/** Throws UnavailableError, and ends the connection, when `task` is not done in time: a broker that hangs answers nothing. */
export async function withinLimit<T>(
  connection: Connection,
  { address, connectTimeoutMs }: Endpoint,
  task: () => Promise<T>,
): Promise<T> {
  const giveUp = () =>
    connection.fail(
      new UnavailableError(`${address} did not answer within ${connectTimeoutMs} ms`, { code: 'TL_TIMEOUT' }),
    )
  const timer = setTimeout(giveUp, connectTimeoutMs)
  try {
    return await task()
  } catch (error) {
    throw connection.over ?? error
  } finally {
    clearTimeout(timer)
  }
}

function startConnection(endpoint: Endpoint, role: 'pub' | 'sub', onEnd: () => void): Connection {
  const { address, frameMaxBytes } = endpoint
  const client = markTraced(begin(endpoint, role))
  const opened = Promise.withResolvers<void>()
  // Whoever waits for a channel hears of it too.
  opened.promise.catch(() => undefined)
  let isUp = false
  let over: ThroughlineError | null = null
  let blocked: string | null = null

  function end(error: ThroughlineError): void {
    if (over !== null) return
    over = error
    onEnd()
    opened.reject(error)
    // The driver would connect again.
    client.unsafeDestroy()
  }

  client.on('error', (error: unknown) => {
    if (!isUp) return end(rabbitmqError(error, `cannot connect to ${address}`))
    const message = `the connection to ${address} was lost: ${errorMessage(error)}`
    end(new UnavailableError(message, { cause: error }))
  })
  client.on('connection', () => {
    isUp = true
    const agreed = negotiatedFrameMax(client) ?? frameMaxBytes
    // The driver counts the frames of a body by its own limit alone.
    if (agreed < frameMaxBytes) {
      const message = `${address} allows frames of ${agreed} bytes: set frameMaxBytes to that`
      return end(new PermanentError(message, { code: 'TL_OPTIONS_INVALID' }))
    }
    opened.resolve()
  })
  client.on('connection.blocked', (reason) => {
    blocked = reason
  })
  client.on('connection.unblocked', () => {
    blocked = null
  })

  async function closeChannel(channel: Channel): Promise<void> {
    if (await isDoneInTime(channel.close())) return
    end(new UnavailableError(`${address} does not answer`, { code: 'TL_TIMEOUT' }))
  }

  async function close(): Promise<void> {
    if (over !== null) return
    over = new UnavailableError(`the connection to ${address} is closed`)
    onEnd()
    opened.reject(over)
    await isDoneInTime(client.close())
    client.unsafeDestroy()
  }

  return {
    opened: opened.promise,
    get over() {
      return over
    },
    get blocked() {
      return blocked
    },
    gatherWrites: writeGatherer(client),
    openChannel: async () => markTraced(await client.acquire({ emitErrorsFromChannel: true })),
    closeChannel,
    fail: end,
    close,
  }
}

function begin(endpoint: Endpoint, role: 'pub' | 'sub'): Client {
  const { address, host, port, vhost, username, password, tls } = endpoint
  try {
    return new Client({
      hostname: host,
      port,
      vhost,
      username,
      password,
      connectionName: `${endpoint.connectionName}-${role}`,
      heartbeat: endpoint.heartbeatSeconds,
      connectionTimeout: endpoint.connectTimeoutMs,
      frameMax: endpoint.frameMaxBytes,
      noDelay: true,
      ...(tls === undefined ? {} : { tls }),
    })
  } catch (cause) {
    throw new PermanentError(`cannot connect to ${address}: ${errorMessage(cause)}`, { cause })
  }
}

/** Whether it came to its end, well or badly, within the time that closing may take. */
async function isDoneInTime(work: Promise<unknown>): Promise<boolean> {
  const done = work.then(
    () => true,
    () => true,
  )
  const late = Promise.withResolvers<boolean>()
  const timer = setTimeout(() => late.resolve(false), CLOSE_TIMEOUT_MS)
  try {
    return await Promise.race([done, late.promise])
  } finally {
    clearTimeout(timer)
  }
}
