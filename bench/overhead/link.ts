import { setImmediate as turn } from 'node:timers/promises'

/** Where the brokers are, and what this process may call its topics. */
export interface Place {
  readonly kafkaBrokers: string
  readonly mqttUrl: string
  readonly amqpUrl: string
  /** Of this process alone: a topic, a queue, a client id, a path. */
  readonly name: string
}

/** One way to carry messages from a publisher to a consumer in the same process: a bare client's, or the library's. */
export interface Link {
  /** Publishes the messages with these numbers in one go; resolves when all are confirmed. */
  publish(numbers: readonly number[], body: Uint8Array): Promise<unknown>
  close(): Promise<void>
}

/** Connects both ends. `onMessage` is to be called for each message that arrives, with its id as text. */
export type Connect = (place: Place, onMessage: (id: string) => void) => Promise<Link>

/** What every message says of itself, as the library writes it: a CloudEvent in binary mode. */
export const SOURCE = '/bench/overhead'
export const TYPE = 'com.example.sensor.reading'
export const CONTENT_TYPE = 'application/octet-stream'
export const idOf = (number: number): string => `event-${number}`
export const subjectOf = (number: number): string => `sensor-${number % GROUP}`

/** The headers that the library's messages have, for a client that writes them itself. */
export function headersOf(number: number, attribute: (name: string) => string): [string, string][] {
  const hex = number.toString(16)
  return [
    [attribute('specversion'), '1.0'],
    [attribute('id'), idOf(number)],
    [attribute('source'), SOURCE],
    [attribute('type'), TYPE],
    [attribute('subject'), subjectOf(number)],
    ['traceparent', `00-${hex.padStart(32, '7')}-${hex.padStart(16, '7')}-01`],
    ['throughline-sent-at', String(Date.now() * 1000)],
  ]
}

/** Messages published together: as many as the HTTP publisher has connections. */
const GROUP = 64
/** Confirmed and not arrived, at most: what waits between the ends takes memory. */
const MAX_UNDER_WAY = 1024

/** Carries messages over one link, and resolves when as many have arrived as were sent. */
export async function createCourier(connect: Connect, place: Place) {
  let sent = 0
  let arrived = 0
  let wanted = Number.POSITIVE_INFINITY
  let reached = Promise.withResolvers<void>()
  const link = await connect(place, (id) => {
    if (!id.startsWith('event-')) throw new Error(`a message has the id ${JSON.stringify(id)}`)
    if (++arrived >= wanted) reached.resolve()
  })

  async function arrival(count: number): Promise<void> {
    if (arrived >= count) return
    wanted = count
    reached = Promise.withResolvers()
    await reached.promise
    wanted = Number.POSITIVE_INFINITY
  }

  return {
    async carry(count: number, body: Uint8Array): Promise<void> {
      for (let left = count; left > 0; ) {
        const numbers = Array.from({ length: Math.min(GROUP, left) }, () => sent++)
        left -= numbers.length
        await link.publish(numbers, body)
        await arrival(sent - MAX_UNDER_WAY)
        // Exporters and commits get their turn, however fast the link is.
        await turn()
      }
      await arrival(sent)
    },
    close: link.close,
  }
}
